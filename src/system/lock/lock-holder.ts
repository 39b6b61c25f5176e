/** Who holds a kernel lock, for a child whose record was never written or is torn, or whose lock file somebody removed. */
import { readFileSync, readdirSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { linkOf } from '../files/final-target.ts';
import { run } from '../process/child.ts';
import { errorCode } from '../failure.ts';
import { isProgram } from '../process/process.ts';
import { statsIfThere } from '../stats.ts';

/** The pids that may hold the lock of that file, the likeliest first; none when nobody does or the system cannot tell. */
export async function lockHolders(path: string): Promise<readonly number[]> {
  if (process.platform === 'linux') return holdersLinux(path);
  return openersOf([path]);
}

/** macOS: the pids that have one of these files open, by lsof(8). Elsewhere none: there {@link holdersOfRemoved} tells more. */
export async function openersOf(paths: readonly string[]): Promise<readonly number[]> {
  if (process.platform === 'linux' || paths.length === 0) return [];
  const { stdout } = await run('/usr/sbin/lsof', ['-t', '--', ...paths], { timeoutMs: 5_000 });
  return stdout
    .split('\n')
    .flatMap(validPid)
    .filter((pid) => pid !== process.pid);
}

/** proc(5), /proc/locks: "1: FLOCK  ADVISORY  WRITE PID MAJOR:MINOR:INODE 0 EOF"; a pid of another namespace is 0. */
function holdersLinux(path: string): readonly number[] {
  const file = statsIfThere(path);
  if (file === undefined) return [];
  const locks = readFileSync('/proc/locks', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[1] === 'FLOCK' && fields[5]?.endsWith(`:${file.ino}`) === true);
  // Some file systems (btrfs, overlays) have another device there than stat(2) says.
  const there = locks.filter((fields) => fields[5] === `${device(file.dev)}:${file.ino}`);
  return (there.length > 0 ? there : locks).flatMap((fields) => validPid(fields[4]));
}

/** A device's numbers as /proc/locks writes them; makedev(3) has the halves interleaved. */
function device(dev: number): string {
  const hex = (n: number) => n.toString(16).padStart(2, '0');
  return `${hex((dev >>> 8) & 0xfff)}:${hex((dev & 0xff) | ((dev >>> 12) & 0xfff00))}`;
}

function validPid(text: string | undefined): number[] {
  const pid = Number(text);
  return Number.isSafeInteger(pid) && pid > 0 ? [pid] : [];
}

/**
 * The pids of others that run one of these programs and have a file of that name open which is not under it any more, since somebody
 * removed or replaced it: the lock that one of them holds is not the one that is tried under that name. None where the system does not
 * tell (macOS).
 */
export function holdersOfRemoved(path: string, programs: readonly string[]): readonly number[] {
  if (process.platform !== 'linux') return [];
  const folder = realIfThere(dirname(path));
  if (folder === undefined) return [];
  const removed = `${join(folder, basename(path))} (deleted)`;
  return readdirSync('/proc')
    .flatMap((name) => validPid(name))
    .filter((pid) => pid !== process.pid && runsOne(pid, programs))
    .filter((pid) => openFilesOf(pid).includes(removed));
}

/** By its file, which costs less than to be sure who it is; of most processes nobody but root learns it. */
function runsOne(pid: number, programs: readonly string[]): boolean {
  const program = basename(linkOf(`/proc/${pid}/exe`) ?? '').replace(/ \(deleted\)$/, '');
  return programs.some((name) => isProgram(program, name));
}

/** proc(5), /proc/PID/fd: a link for each descriptor, with " (deleted)" behind a name that is gone. None of a process that is not ours. */
function openFilesOf(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap(
      // One that was closed meanwhile has none.
      (fd) => linkOf(`/proc/${pid}/fd/${fd}`) ?? [],
    );
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    return [];
  }
}

function realIfThere(path: string): string | undefined {
  try {
    return realpathSync.native(path);
  } catch {
    // It may be gone by now.
    return undefined;
  }
}
