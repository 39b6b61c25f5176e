/** Who holds a kernel lock, for a child whose record was never written or is torn. */
import { readFileSync, statSync } from 'node:fs';
import { run } from './child.ts';

/** The pid that holds the lock of that file, where the system can tell; undefined when nobody does or it cannot. */
export async function lockHolder(path: string): Promise<number | undefined> {
  if (process.platform === 'linux') return holderLinux(path);
  const { stdout } = await run('/usr/sbin/lsof', ['-t', '--', path], { timeoutMs: 5_000 });
  return validPid(stdout.trim().split('\n')[0]);
}

/** proc(5), /proc/locks: "1: FLOCK  ADVISORY  WRITE PID MAJOR:MINOR:INODE 0 EOF"; a pid of another namespace is 0. */
function holderLinux(path: string): number | undefined {
  const inode = statSync(path, { throwIfNoEntry: false })?.ino;
  if (inode === undefined) return undefined;
  for (const line of readFileSync('/proc/locks', 'utf8').split('\n')) {
    const fields = line.trim().split(/\s+/);
    if (fields[1] === 'FLOCK' && fields[5]?.endsWith(`:${inode}`) === true)
      return validPid(fields[4]);
  }
  return undefined;
}

function validPid(text: string | undefined): number | undefined {
  const pid = Number(text);
  return Number.isSafeInteger(pid) && pid > 1 ? pid : undefined;
}
