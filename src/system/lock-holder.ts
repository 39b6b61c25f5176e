/** Who holds a kernel lock, for a child whose record was never written or is torn. */
import { readFileSync, statSync } from 'node:fs';
import { run } from './child.ts';

/** The pids that may hold the lock of that file, the likeliest first; none when nobody does or the system cannot tell. */
export async function lockHolders(path: string): Promise<readonly number[]> {
  if (process.platform === 'linux') return holdersLinux(path);
  const { stdout } = await run('/usr/sbin/lsof', ['-t', '--', path], { timeoutMs: 5_000 });
  return stdout.split('\n').flatMap(validPid);
}

/** proc(5), /proc/locks: "1: FLOCK  ADVISORY  WRITE PID MAJOR:MINOR:INODE 0 EOF"; a pid of another namespace is 0. */
function holdersLinux(path: string): readonly number[] {
  const file = statSync(path, { throwIfNoEntry: false });
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
  return Number.isSafeInteger(pid) && pid > 1 ? [pid] : [];
}
