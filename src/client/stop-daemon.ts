/** The end of a daemon, as a terminal asks for it. What ends a VM that was left behind is loaded when it is looked for. */
import { existsSync } from 'node:fs';
import type { Layout } from '../config/layout.ts';
import type { Clock } from '../system/time/clock.ts';
import { Exit, Failed, type Failure } from '../system/failure.ts';
import { makeDirectory } from '../system/files/files.ts';
import { isLocked, sectionLock } from '../system/lock/lock.ts';
import { readLive } from '../system/files/pidfile.ts';
import { unidentifiedDaemon } from './unidentified-daemon.ts';
import { until } from '../system/time/wait.ts';
import { DaemonLock, otherDaemon, ownPidFiles } from '../supervisor/daemon/daemon-lock.ts';
import { advice, ours } from '../system/advice.ts';

interface Terminal {
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** A stop is over in 25 s. */
const stopMs = 30_000;
/** Another stop ends what was left within 33 s; a daemon is without its record for milliseconds. */
const namelessMs = 40_000;

/** Ends the daemon in order, and a VM that an earlier one left behind, which it may not have come to end. */
export async function stopDaemon(
  layout: Layout,
  terminal: Terminal,
): Promise<'stopped' | 'leftover-ended' | 'nothing-runs'> {
  const found = await daemonOrLock(layout, terminal);
  if (found === undefined) return 'nothing-runs';
  if (!('pid' in found)) return endLeftBehind(layout, found, terminal);
  await endDaemon(layout, found.pid, terminal);
  const lock = DaemonLock.take(layout);
  if (lock instanceof DaemonLock) await endLeftBehind(layout, lock, terminal);
  return 'stopped';
}

/**
 * Who the daemon is, or else its lock: for so long no daemon begins, whose children and files would be taken for what was
 * left. Undefined when no daemon ever ran here.
 */
async function daemonOrLock(
  layout: Layout,
  { clock, signal }: Terminal,
): Promise<{ pid: number } | DaemonLock | undefined> {
  const { daemonLock, vmLock, networkLock, trialLock } = layout;
  const other = otherDaemon(layout);
  if (other !== undefined) return { pid: other };
  if (![daemonLock, vmLock, networkLock, trialLock].some((lock) => existsSync(lock))) {
    // Where no lock can be had, not even that nothing runs is known.
    const section = sectionLock(layout.startLock);
    if (existsSync(section)) isLocked(section);
    return readLive(ownPidFiles(layout));
  }
  makeDirectory(layout.state);
  // Held without a record: a daemon that begins or ends, which is over in a moment, or another stop.
  let found = DaemonLock.take(layout);
  const isNamed = () => found instanceof DaemonLock || found.pid !== undefined;
  const look = () => isNamed() || ((found = DaemonLock.take(layout)), isNamed());
  await until(look, { clock, signal, everyMs: 50, timeoutMs: namelessMs });
  if (found instanceof DaemonLock) return found;
  if (found.pid === undefined) throw new Failed(unidentifiedDaemon(layout, 'daemon-does-not-stop'));
  return { pid: found.pid };
}

async function endDaemon(
  layout: Layout,
  pid: number,
  { clock, signal }: Terminal,
): Promise<'stopped'> {
  process.kill(pid, 'SIGTERM');
  const isGone = () => readLive(ownPidFiles(layout))?.pid !== pid;
  if ((await until(isGone, { clock, signal, everyMs: 50, timeoutMs: stopMs })) === 'held')
    return 'stopped';
  throw new Failed(doesNotStop(pid));
}

/** With the daemon's lock, which is released. */
async function endLeftBehind(layout: Layout, lock: DaemonLock, terminal: Terminal) {
  try {
    const { endWhatIsLeft } = await import('./end-leftovers.ts');
    return await endWhatIsLeft(layout, terminal);
  } finally {
    lock.release();
  }
}

/** It was sent SIGTERM, and is still there. */
export const doesNotStop = (pid: number): Failure => ({
  kind: 'daemon-does-not-stop',
  message: `The daemon (pid ${pid}) did not stop within ${stopMs / 1000} s.`,
  hint: advice`To stop the guest without waiting for it, run again: ${ours('stop')}`,
  exit: Exit.temporary,
});
