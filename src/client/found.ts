/** What is true now, for whoever asks from outside: the daemon's own word where it answers, else as much as its file proves. */
import type { Layout } from '../config/layout.ts';
import type { Clock } from '../system/time/clock.ts';
import { unidentifiedDaemon } from './unidentified-daemon.ts';
import { Failed } from '../system/failure.ts';
import { sizeIfThere } from '../system/files/files.ts';
import { isLocked } from '../system/lock/lock.ts';
import { harmless } from '../system/plain-text.ts';
import { until } from '../system/time/wait.ts';
import { ask, isRefusal } from '../supervisor/daemon/ask-daemon.ts';
import { otherDaemon } from '../supervisor/daemon/daemon-lock.ts';
import { readStatus, type FoundStatus } from '../supervisor/status/status.ts';
import { parseStatus } from '../supervisor/status/status-schema.ts';

interface FindOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** A daemon answers at once, unless it stands still. */
const answerMs = 2_000;
/** One that begins has its lock before it can say anything, for milliseconds; fifty at once need longer. */
const namelessMs = 5_000;

/**
 * Asks the daemon; where it does not answer, its file, which is believed only of a daemon that lives. Failed `daemon-silent` where one
 * lives of which there is neither, `status-unreadable`, `no-locks`.
 */
export async function findStatus(layout: Layout, asker: FindOptions): Promise<FoundStatus> {
  let found = await look(layout, asker);
  if (found.daemon === 'alive' || !isHeld(layout)) return found;
  const isDecided = async () => {
    found = await look(layout, asker);
    return found.daemon === 'alive' || !isHeld(layout);
  };
  const outcome = await until(isDecided, { ...asker, everyMs: 50, timeoutMs: namelessMs });
  if (outcome !== 'held') throw new Failed(unidentifiedDaemon(layout, 'daemon-silent'));
  return found;
}

async function look(layout: Layout, { clock, signal }: FindOptions): Promise<FoundStatus> {
  try {
    const fields = await ask(layout, 'status', clock, signal, { timeoutMs: answerMs });
    // What a guest says of itself is in it, as in the file.
    const status = parseStatus(JSON.parse(JSON.stringify(fields, harmless)));
    if (status !== undefined) return { daemon: 'alive', status, heard: true };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof Failed)) throw error;
    const found = readStatus(layout);
    // One of an earlier release answers that it does not know the question: what it wrote is all that it says.
    return isRefusal(error) && found.daemon === 'alive' ? { ...found, heard: true } : found;
  }
  return readStatus(layout);
}

/** Whether somebody has the daemon's lock, also where a cleaner took its file. Nothing is made for the question. */
function isHeld(layout: Layout): boolean {
  const { daemonLock } = layout;
  if (otherDaemon(layout) !== undefined) return true;
  try {
    return sizeIfThere(daemonLock) !== undefined && isLocked(daemonLock);
  } catch (error) {
    // Who may not open it is told nothing by it.
    if (error instanceof Failed && error.failure.kind === 'cannot-write') return false;
    throw error;
  }
}
