/** The machine we run on, measured: the limits of what a builder can be given. */
import { statfsSync } from 'node:fs';
import { availableParallelism, release, totalmem } from 'node:os';
import { dirname } from 'node:path';
import { Exit, Failed, errorCode } from '../failure.ts';
import { OthersFiles } from '../files/others-files.ts';
import { readPlist, stringIn } from '../plist.ts';
import { groupLimits } from './resource-limits.ts';
import { hasBattery } from './power.ts';
import { ownPerformanceCores } from './processors.ts';

const MiB = 1024 ** 2;
const GiB = 1024 ** 3;

/** What this host has (or a container or slice leaves of it), and the file system that holds (or would hold) a directory. Fails on a system we do not run on. */
export function hostFacts(directory: string) {
  const { arch, platform } = supported(process.arch, process.platform);
  const disk = fileSystemOf(directory);
  const limits = groupLimits();
  return {
    arch,
    platform,
    cpus: Math.max(1, Math.floor(Math.min(availableParallelism(), limits.cpus ?? Infinity))),
    performanceCores: ownPerformanceCores(),
    memoryMiB: Math.floor(Math.min(totalmem(), limits.memoryBytes ?? Infinity) / MiB),
    /** It has more, which a limit of a control group keeps from us. */
    isLimited: (limits.memoryBytes ?? Infinity) < totalmem(),
    hasBattery: hasBattery('/sys/class/power_supply'),
    diskGiB: Math.floor((disk.blocks * disk.bsize) / GiB),
    diskFreeGiB: Math.floor((disk.bavail * disk.bsize) / GiB),
  } as const;
}

/** The architecture and platform, if they are ones that a builder can run on. */
export function supported(
  arch: string,
  platform: string,
): { readonly arch: 'x64' | 'arm64'; readonly platform: 'darwin' | 'linux' } {
  if ((arch === 'x64' || arch === 'arm64') && (platform === 'darwin' || platform === 'linux'))
    return { arch, platform };
  throw new Failed({
    kind: 'host-unsupported',
    message: `linuxkit-builder does not run on ${platform} (${arch}).`,
    hint: 'It runs on macOS and Linux, on x86_64 and arm64.',
    exit: Exit.unavailable,
  });
}

/** Of the directory, or of the nearest parent that exists. */
function fileSystemOf(directory: string) {
  for (let path = directory; ; path = dirname(path)) {
    try {
      return statfsSync(path);
    } catch (error) {
      const code = errorCode(error);
      if ((code !== 'ENOENT' && code !== 'ENOTDIR') || path === dirname(path)) throw error;
    }
  }
}

/** Which system this is; on macOS its version too, as people call it. */
export function systemVersion(): { readonly platform: NodeJS.Platform; readonly macos?: string } {
  const { platform } = process;
  const macos = platform === 'darwin' ? macosOf(release()) : undefined;
  return { platform, ...(macos === undefined ? {} : { macos }) };
}

/** Which build of the system this is: its kernel's release, and on macOS the build, which an update may change without the kernel's. */
export function systemBuild(plist = '/System/Library/CoreServices/SystemVersion.plist'): string {
  const build = stringIn(readPlist(plist, new OthersFiles()), 'ProductBuildVersion') ?? '';
  return build === '' ? release() : `${release()} ${build}`;
}

/** Darwin 20 is macOS 11, 24 is 15, 25 is 26; before 20 it was 10.(n - 4). */
export function macosOf(darwin: string): string | undefined {
  const [major = 0, minor = 0] = darwin.split('.').map(Number);
  if (!(major >= 5)) return undefined;
  if (major < 20) return `10.${major - 4}`;
  return `${major >= 25 ? major + 1 : major - 9}.${minor}`;
}
