/**
 * The lowest versions with which an image may be made or started, each with the reason. An image is below its floor when one of its
 * packages is older; Debian's own order of versions decides. Where a series must not be left, none is made beyond it either.
 */
import { compareVersions } from './debian-version.ts';

/** One program's lowest version. */
export interface Floor {
  /** The program, for people. */
  readonly what: 'Nix' | 'Linux' | 'OpenSSH' | 'libc';
  /** The package by which its version is told, as Debian calls it. */
  readonly package: string;
  readonly version: string;
  /** A sentence's end: "before that ...". */
  readonly why: string;
  /** The series that is kept: the first version beyond it, and a sentence's end: "from that version on ...". */
  readonly below?: { readonly version: string; readonly why: string };
}

/** What has been found out since a version was made is a reason to raise it here; every image below is refused from then on. */
export function floorsFor(arch: 'amd64' | 'arm64'): readonly Floor[] {
  return [
    {
      what: 'Nix',
      package: 'nix-bin',
      // Fixed in 2.34.5; nothing of Debian 13 has the fix (https://github.com/NixOS/nix/security/advisories/GHSA-g3g9-5vj6-r3gj).
      version: '2.34.5',
      why: 'a build can become root in the guest (CVE-2026-39860)',
    },
    {
      what: 'Linux',
      package: `linux-image-cloud-${arch}`,
      // The oldest that Debian 13 itself still offers beside its security archive; its changelog names what each release closes.
      version: '6.12.117',
      why: 'the kernel has known vulnerabilities that a build can exploit through namespaces',
      below: {
        // AT_HWCAP3, type 29, came with 6.13: https://github.com/containers/podman-machine-os/issues/98, lima-vm/lima issue 3592.
        version: '6.13',
        why: 'the kernel passes programs an auxiliary vector that crashes Rosetta on macOS 14 and 15',
      },
    },
    {
      what: 'OpenSSH',
      package: 'openssh-server',
      // changelog.Debian of 1:10.0p1-7+deb13u4.
      version: '1:10.0p1-7+deb13u4',
      why: 'sshd has known vulnerabilities',
    },
    {
      what: 'libc',
      package: 'libc6',
      // Nix's libraries are built against this one; a lower one cannot load them.
      version: '2.43',
      why: "Nix's libraries cannot be loaded",
    },
  ];
}

/** Whether a version may go into an image. */
export const isWithin = (version: string, { version: lowest, below }: Floor): boolean =>
  compareVersions(version, lowest) >= 0 &&
  (below === undefined || compareVersions(version, below.version) < 0);

/** `at least 6.12.117 and below 6.13: from that version on the kernel ...` */
export const describeFloor = ({ version, below }: Floor): string =>
  below === undefined
    ? `at least ${version}`
    : `at least ${version} and below ${below.version}: from that version on ${below.why}`;

/** A floor that an image does not reach, and what it has instead. */
interface Shortfall {
  readonly floor: Floor;
  /** Undefined where the image does not have the package at all. */
  readonly version: string | undefined;
}

/** The floors that these packages (name to version) do not reach. Pure. */
export const shortfalls = (
  packages: Readonly<Record<string, string>>,
  floors: readonly Floor[],
): Shortfall[] =>
  floors.flatMap((floor) => {
    const version = packages[floor.package];
    return version !== undefined && compareVersions(version, floor.version) >= 0
      ? []
      : [{ floor, version }];
  });

/** `its Nix 2.26.3+dfsg-1 is older than 2.34.5; before that a build can ...` */
export const describeShortfall = ({ floor, version }: Shortfall): string =>
  version === undefined
    ? `it does not contain ${floor.package}`
    : `its ${floor.what} ${version} is older than ${floor.version}; before that, ${floor.why}`;

/** The first version of each series with the fix of CVE-2026-39860, by the advisory; 2.21 to 2.27 have none. */
const fixedIn: Readonly<Record<number, number>> = {
  28: 6,
  29: 3,
  30: 4,
  31: 4,
  32: 7,
  33: 4,
  34: 5,
};

/** Whether a Nix, as it names itself, lets builds become root. One that is not known to is taken not to: `2.3`, `2.91 (Lix)`. */
export function letsBuildsOut(nix: string): boolean {
  const [, minor, patch] = /^2\.(\d+)(?:\.(\d+))?/.exec(nix) ?? [];
  if (minor === undefined || Number(minor) < 21 || Number(minor) > 34) return false;
  const fixed = fixedIn[Number(minor)];
  return fixed === undefined || Number(patch ?? 0) < fixed;
}
