/** The daemon's lock, by which a state directory has one daemon; it stands for the directory, and outlives its own file. */
import { closeSync, fstatSync, openSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import type { Layout } from '../../config/layout.ts';
import { Exit, Failed, errorCode, type Failure } from '../../system/failure.ts';
import { cannotWrite } from '../../system/files/cannot-write.ts';
import { tryKernelLock, type KernelLock } from '../../system/lock/lock.ts';
import { holdersOfRemoved } from '../../system/lock/lock-holder.ts';
import { readLive } from '../../system/files/pidfile.ts';
import type { Clock } from '../../system/time/clock.ts';
import { advice, ours } from '../../system/advice.ts';

/** Another daemon, or a stop, has it; `pid` where that is known. */
interface TakenLock {
  readonly pid: number | undefined;
}

/** The daemon's own, one for people and one for us. */
export const ownPidFiles = (layout: Layout) => ({
  plain: layout.pid('daemon'),
  record: layout.daemonPid,
});

/** Held for the daemon's life; the kernel frees it at its death. */
export class DaemonLock {
  readonly #layout: Layout;
  /** Held open, so that no other directory gets its inode. */
  readonly #directory: number;
  #lock: KernelLock;

  /** Takes it, without waiting. Failed `cannot-write`, `no-locks`. */
  static take(layout: Layout): DaemonLock | TakenLock {
    const lock = tryKernelLock(layout.daemonLock);
    if (lock === undefined) return { pid: readLive(ownPidFiles(layout))?.pid };
    // A cleaner may have taken the file from a daemon that lives: its lock is on what is under no name now.
    const other = otherDaemon(layout);
    if (other === undefined) return new DaemonLock(layout, lock);
    lock.release();
    return { pid: other };
  }

  private constructor(layout: Layout, lock: KernelLock) {
    this.#layout = layout;
    this.#lock = lock;
    try {
      this.#directory = openSync(layout.state, 'r');
    } catch (error) {
      lock.release();
      throw new Failed(cannotWrite(layout.state, error), { cause: error });
    }
  }

  /**
   * Whether the state directory is the one that was locked: it may be moved, deleted or replaced, with another daemon in its place.
   * Where only the lock's file is gone, it is made again.
   */
  isInPlace(): boolean {
    if (!this.#isSameDirectory()) return false;
    if (this.#lock.isInPlace()) return true;
    try {
      const again = tryKernelLock(this.#layout.daemonLock);
      if (again === undefined) {
        const recorded = readLive(ownPidFiles(this.#layout))?.pid;
        return recorded === undefined || recorded === process.pid;
      }
      this.#lock.release();
      this.#lock = again;
    } catch (error) {
      // On a full or read-only disk nobody else makes that file either.
      if (!(error instanceof Failed)) throw error;
    }
    return true;
  }

  release(): void {
    closeSync(this.#directory);
    this.#lock.release();
  }

  #isSameDirectory(): boolean {
    try {
      const [there, ours] = [statSync(this.#layout.state), fstatSync(this.#directory)];
      return there.ino === ours.ino && there.dev === ours.dev;
    } catch (error) {
      // Only what is certain counts: a directory that cannot be searched may be the same.
      return errorCode(error) !== 'ENOENT' && errorCode(error) !== 'ENOTDIR';
    }
  }
}

/** The pid of another daemon that lives here although its lock's file is gone; where the system tells. */
export const otherDaemon = ({ daemonLock }: Layout): number | undefined =>
  holdersOfRemoved(daemonLock, ['node', 'nodejs', basename(process.execPath)])[0];

/** How often whoever waits looks again. */
export const standbyMs = 10_000;
/** Who has just taken the lock says who it is within milliseconds; one of fifty that start at once needs longer. */
const nameless = { everyMs: 50, limitMs: 5_000 };

/** The lock, or undefined when a stop was asked for while waiting for it. */
export async function takeLock(
  layout: Layout,
  {
    clock,
    managed,
    onStandby,
    signal,
  }: {
    readonly clock: Clock;
    /** Waits for it, without end. */
    readonly managed: boolean;
    /** Another daemon has it, which may not have said yet what it is; called once. */
    readonly onStandby: (pid: number | undefined) => void;
    readonly signal: AbortSignal;
  },
): Promise<DaemonLock | undefined> {
  const begun = clock.monotonic();
  for (let told = false; ;) {
    const taken = DaemonLock.take(layout);
    if (taken instanceof DaemonLock) return taken;
    const other = taken.pid;
    const isNamed = other !== undefined || clock.monotonic() - begun >= nameless.limitMs;
    if (isNamed && !managed) throw new Failed(alreadyRuns(other));
    if (isNamed && !told) onStandby(other);
    told ||= isNamed;
    try {
      await clock.sleep(isNamed ? standbyMs : nameless.everyMs, signal);
    } catch {
      // It was asked to stop while it waited.
      return undefined;
    }
  }
}

/** `pid`: undefined where whoever holds the lock has left no record. */
export const alreadyRuns = (pid: number | undefined): Failure => ({
  kind: 'daemon-already-runs',
  message: `Another daemon is running for this state directory${pid === undefined ? ' (or `stop` is still cleaning up after an earlier one)' : `, with pid ${pid}`}.`,
  hint: advice`See: ${ours('status')}`,
  exit: Exit.temporary,
});
