/** The signed lists of a recipe's suites, as the mirrors have them now. */
import { Failed, type Failure } from '../../system/failure.ts';
import type { LockedSuite } from '../image-lock.ts';
import { merged, type PackageIndex } from './package-index.ts';
import type { Arch } from '../recipe.ts';
import {
  fetchIndex,
  fetchRelease,
  hasExpired,
  type Release,
  type ReleaseOptions,
} from './release.ts';
import type { Keyring } from './signature.ts';
import type { DebianRelease, Mirrors, Suite } from './suites.ts';

/** Where the lists are, and whose signature is believed. */
export interface IndexOptions extends Omit<ReleaseOptions, 'notBefore'> {
  readonly mirrors: Mirrors;
  readonly keyring: Keyring;
  readonly onWarning: (message: string) => void;
}

/** Verified release files, and the way from them to the packages. */
interface Indexes {
  /** What a lock says of them. */
  readonly suites: readonly LockedSuite[];
  readonly releasesFor: (arch: Arch) => Promise<{ name: string; index: PackageIndex }[]>;
}

interface Found {
  readonly suite: Suite;
  readonly release: Release;
}

/** `before`: what was resolved from them the last time; an index older than that is refused. */
export async function fetchIndexes(
  releases: readonly DebianRelease[],
  before: readonly LockedSuite[],
  options: IndexOptions,
): Promise<Indexes> {
  const found = new Map<Suite, Found>();
  for (const suite of releases.flatMap(({ suites }) => suites)) {
    const release = await releaseOf(suite, before, options);
    if (release !== undefined) found.set(suite, { suite, release });
  }
  const indexOf = ({ suite, release }: Found, arch: Arch) =>
    fetchIndex(options.mirrors[suite.archive], release, arch, options);
  return {
    suites: [...found.values()].map((each) => lockedSuite(each, options.clock.now())),
    releasesFor: async (arch) => {
      const all = [];
      for (const { name, suites } of releases) {
        const indexes = [];
        for (const each of suites.flatMap((suite) => found.get(suite) ?? []))
          indexes.push(await indexOf(each, arch));
        all.push({ name, index: merged(indexes) });
      }
      return all;
    },
  };
}

/** Undefined for a security archive that cannot be had, which is said. */
async function releaseOf(
  { codename, archive }: Suite,
  before: readonly LockedSuite[],
  options: IndexOptions,
): Promise<Release | undefined> {
  const last = before.find((each) => each.codename === codename)?.indexDate;
  const notBefore = last === undefined ? undefined : new Date(last);
  const { mirrors, keyring, onWarning } = options;
  try {
    return await fetchRelease(mirrors[archive], codename, keyring, { ...options, notBefore });
  } catch (error) {
    if (archive !== 'security' || !(error instanceof Failed) || !cannotBeHad(error)) throw error;
    onWarning(withoutSecurity(error.failure));
    return undefined;
  }
}

/** Said where the security archive cannot be had. */
export const withoutSecurity = ({ message }: Failure): string =>
  `Debian's security updates are not included: ${message} To set their address, use --security-mirror URL.`;

/** A mirror that does not have it, or is not there; one that lies is another matter. */
export const cannotBeHad = ({ failure }: Failed): boolean =>
  ['not-on-mirror', 'mirror-unreachable', 'mirror-refused', 'download-stalled'].includes(
    failure.kind,
  );

function lockedSuite({ suite, release }: Found, nowMs: number): LockedSuite {
  const { validUntil, date } = release;
  const isExpired = validUntil !== undefined && hasExpired(release, nowMs);
  return {
    codename: suite.codename,
    archive: suite.archive,
    indexDate: date.toISOString(),
    ...(isExpired ? { expired: validUntil.toISOString() } : {}),
  };
}
