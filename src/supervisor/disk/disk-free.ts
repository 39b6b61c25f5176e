/**
 * Whether somebody has the disk locked: HyperKit and Virtualization.framework lock it themselves (flock), the latter in a helper that is
 * no child of ours and may outlive a vfkit that was killed. A framework that finds it locked refuses with few words, or hangs.
 */
import type { Clock } from '../../system/time/clock.ts';
import { Exit, Failed, type Failure } from '../../system/failure.ts';
import { realOrItself } from '../../system/files/final-target.ts';
import { isLocked } from '../../system/lock/lock.ts';
import type { Log } from '../../system/log.ts';
import { until } from '../../system/time/wait.ts';
import { shellWord } from '../../system/shell.ts';

/** A killed vfkit's helper goes by itself; whoever has it for longer means to. */
const timeoutMs = 20_000;

interface FreeOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly log: Log;
}

/** Tries the disk's lock and lets it go at once: the VM program wants it. Failed `disk-locked` when it stays taken. */
export async function untilDiskIsFree(
  disk: string,
  { clock, signal, log }: FreeOptions,
): Promise<void> {
  // It may be a link to another volume, which is its owner's arrangement.
  const isFree = () => !isLocked(realOrItself(disk));
  if (isFree()) return;
  log('warn', 'disk-locked', { path: disk });
  const came = await until(isFree, { clock, signal, everyMs: 200, timeoutMs });
  signal.throwIfAborted();
  if (came !== 'held') throw new Failed(diskLocked(disk));
}

/** The start is tried again. */
export const diskLocked = (disk: string): Failure => ({
  kind: 'disk-locked',
  vmFault: 'none',
  message: `Another process has kept the disk ${disk} locked for ${timeoutMs / 1000} s.`,
  hint: `The start is retried. If this persists, find the process with: lsof ${shellWord(disk)}`,
  exit: Exit.temporary,
  recovery: 'wait',
});
