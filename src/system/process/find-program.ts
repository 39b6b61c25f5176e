/** Finding other people's programs, and saying how to get one that is missing. */
import { accessSync, constants, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Exit, Failed } from '../failure.ts';
import { shellWord } from '../shell.ts';
import { hasPackage, installCommand, managers, type Manager } from './packages.ts';
import { advice, ours, type Text } from '../advice.ts';

/**
 * Where package managers of macOS and Nix put programs that launchd's PATH does not name; and where podman keeps its helpers, gvproxy and
 * vfkit among them, which no PATH names: Homebrew's formula, podman's own package for macOS, Linux (containers/common, pkg/config/config_darwin.go).
 */
const beyondPath = [
  '/opt/homebrew/bin',
  '/usr/local/bin',
  '/run/current-system/sw/bin',
  '/nix/var/nix/profiles/default/bin',
  '/opt/homebrew/opt/podman/libexec/podman',
  '/usr/local/opt/podman/libexec/podman',
  '/opt/podman/bin',
  '/usr/libexec/podman',
  '/usr/lib/podman',
];

/** Where a program stands under another name. Red Hat's QEMU runs guests of the host's own kind alone, and is meant for libvirt. */
const otherwise: Readonly<Record<string, string>> =
  process.platform === 'linux'
    ? {
        [`qemu-system-${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}`]: '/usr/libexec/qemu-kvm',
      }
    : {};

/** What a process of that program may be called. */
export const processNames = (name: string): readonly string[] => {
  const other = otherwise[name];
  return other === undefined ? [name] : [name, basename(other)];
};

/** Programs that no package manager of theirs can be named for. */
const elsewhere: Readonly<Record<string, Text>> = {
  hyperkit: advice`Homebrew no longer has it; older versions of Docker Desktop for Mac contain it (Intel Macs only). Or use vfkit: brew install vfkit podman && ${ours('configure', '--vm vfkit')}`,
  vfkit: advice`Install it (macOS only): brew install vfkit podman. Or use QEMU: ${ours('configure', '--vm qemu')}`,
  vpnkit: advice`Install VPNKit from github.com/moby/vpnkit, or take that of an older Docker Desktop for Mac. Or use gvproxy: ${ours('configure', '--network gvproxy')}`,
  gvproxy:
    'Install it: brew install podman (macOS), apt-get install gvproxy (Debian), or from github.com/containers/gvisor-tap-vsock',
};

/** The system's own places, where nobody but root puts programs. */
export const systemPath = '/usr/bin:/bin:/usr/sbin:/sbin:/run/current-system/sw/bin';

/** A PATH that leads somewhere: the system's in place of none, or of one without a single place, as shells have it (confstr(3), _CS_PATH). */
export const usablePath = (path: string | undefined): string =>
  path !== undefined && foldersOf(path).length > 0 ? path : systemPath;

/** The absolute path of a program, or Failed `program-missing` with the command that installs it. */
export function findProgram(name: string, path: string | undefined = process.env['PATH']): string {
  const found = tryProgram(name, path);
  if (found === undefined) throw new Failed(programMissing(name));
  return found;
}

/** Its path, or undefined. `path`: in place of ours. */
export function tryProgram(
  name: string,
  path: string | undefined = process.env['PATH'],
): string | undefined {
  if (name.includes('/')) return isProgram(name) ? name : undefined;
  return candidatesFor(name, path).find(isProgram);
}

/** The names by which the PATH leads to programs called so, in its order. */
export const namesOnPath = (
  name: string,
  path: string | undefined = process.env['PATH'],
): readonly string[] => candidatesFor(name, path).filter(isProgram);

function candidatesFor(name: string, path: string | undefined): string[] {
  const candidates = [...foldersOf(path ?? ''), ...beyondPath].map((folder) => join(folder, name));
  const other = otherwise[name];
  return other === undefined ? candidates : [...candidates, other];
}

/** What installs packages here: the system's own, and where there is none Homebrew on macOS, or Nix. */
export function managerHere(
  path: string | undefined = process.env['PATH'],
  platform: string = process.platform,
): Manager | undefined {
  const isMac = platform === 'darwin';
  const ofSystem = managers.filter((name) =>
    isMac ? name === 'brew' || name === 'nix-env' : name !== 'brew',
  );
  return ofSystem.find((name) => tryProgram(name, path) !== undefined);
}

const isOfNix = (name: string): boolean => /^nix(-|$)/.test(name);

/** manager: what installs packages here; null where there is none that we know. */
export function programMissing(
  name: string,
  manager: Manager | null = managerHere() ?? null,
  platform: string = process.platform,
) {
  return {
    kind: 'program-missing',
    vmFault: 'lasts',
    message: `The program ${name} is not installed or not on the PATH.`,
    hint: elsewhere[name] ?? howToGet(isOfNix(name) ? 'nix-build' : name, manager, platform),
    exit: Exit.unavailable,
    recovery: 'give-up',
  } as const;
}

function howToGet(name: string, manager: Manager | null, platform: string): string {
  const isMac = platform === 'darwin';
  const by = (each: Manager) => [each, ...installCommand(each, [name])].map(shellWord).join(' ');
  if (isOfNix(name) && (isMac || (manager !== null && !hasPackage(name, manager))))
    return 'Install it with the installer of https://nixos.org/download';
  if (manager !== null) return `Install it: ${by(manager)}`;
  return isMac
    ? `Install it with Homebrew (https://brew.sh): ${by('brew')}`
    : `Install it with this system's package manager (on Debian: ${by('apt-get')})`;
}

/** What is meant from where somebody stands is not searched. */
const foldersOf = (path: string): string[] =>
  path.split(':').filter((folder) => folder.startsWith('/'));

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    // It is not there, or not for us to run.
    return false;
  }
}
