/** How much memory the system has left, and whether it has killed processes because it ran out. */
import { readFileSync } from 'node:fs';

/**
 * How many processes were killed for want of memory since the host's boot, of the whole host or of a limited group (cgroup);
 * undefined where the system does not tell: macOS, and Linux before 4.13.
 */
export function oomKills(): number | undefined {
  try {
    return readOomKills(readFileSync('/proc/vmstat', 'utf8'));
  } catch {
    return undefined;
  }
}

/** The count in the text of /proc/vmstat. */
export function readOomKills(text: string): number | undefined {
  const count = /^oom_kill (\d+)$/m.exec(text)?.[1];
  return count === undefined ? undefined : Number(count);
}

/** Of the memory: below this Linux begins to swap, or to kill. */
const lowShare = 0.1;

/** Whether the system is short of memory; false where it does not tell. Rejects when the signal aborts. */
export async function isShortOfMemory(signal: AbortSignal): Promise<boolean> {
  if (process.platform === 'darwin') return isPressed(await askMac(signal));
  return (freeMemoryShare() ?? 1) < lowShare;
}

/** How much of the memory could be had without swapping, 0 to 1; undefined where the system does not tell. */
export function freeMemoryShare(): number | undefined {
  try {
    return readFreeShare(readFileSync('/proc/meminfo', 'utf8'));
  } catch {
    return undefined;
  }
}

/**
 * The memory pressure that Activity Monitor draws: 1 is normal, 2 a warning, 4 critical (dispatch/source.h,
 * DISPATCH_MEMORYPRESSURE_NORMAL and the like). memory_pressure(1) reads the same number.
 */
const macPressure = 'kern.memorystatus_vm_pressure_level';

/** The answer to it, by sysctl(8): a number that is not one of these is none. */
export const isPressed = (answer: string): boolean => ['2', '4'].includes(answer.trim());

async function askMac(signal: AbortSignal): Promise<string> {
  // Loaded only where it is needed, as below.
  const { run } = await import('../process/child.ts');
  const { stdout } = await run('/usr/sbin/sysctl', ['-n', macPressure], {
    signal,
    timeoutMs: 5_000,
  });
  return stdout;
}

/** The same in the text of /proc/meminfo (proc(5)). */
export function readFreeShare(text: string): number | undefined {
  const kibibytes = (name: string) =>
    Number(new RegExp(`^${name}: +(\\d+) kB$`, 'm').exec(text)?.[1]);
  const share = kibibytes('MemAvailable') / kibibytes('MemTotal');
  return Number.isFinite(share) ? share : undefined;
}

/** Bytes of memory that a process takes now; undefined where the system does not tell, or there is none. */
export async function residentOf(pid: number, signal: AbortSignal): Promise<number | undefined> {
  if (process.platform === 'linux') return residentNow(pid);
  // Loaded only where it is needed: what shows the status has no other use for it.
  const { run } = await import('../process/child.ts');
  const argv = ['-o', 'rss=', '-p', String(pid)];
  const kibibytes = Number.parseInt(
    (await run('ps', argv, { signal, timeoutMs: 5_000 })).stdout,
    10,
  );
  return Number.isNaN(kibibytes) ? undefined : kibibytes * 1024;
}

/** The same without a process of its own; undefined where that cannot be (macOS). */
export function residentNow(pid: number): number | undefined {
  try {
    return readResident(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return undefined;
  }
}

/** The same in the text of /proc/PID/status (proc(5)). */
function readResident(text: string): number | undefined {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(text)?.[1];
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
}
