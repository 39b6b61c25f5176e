/** Work with a child that may die under it: then its end is the reason, and not what the work noticed of it. */
import type { ExitStatus } from '../../system/process/child.ts';
import type { Clock } from '../../system/time/clock.ts';
import { Failed, type Failure } from '../../system/failure.ts';

/** What dies closes its connections a moment before its end is known. */
const dyingMs = 200;

interface ChildOfWork {
  readonly ended: Promise<ExitStatus>;
  /** What its end means. */
  readonly meaning: (ended: ExitStatus) => Failure;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** The work's result. Rejects with the child's end as soon as there is one, or with what went wrong in the work. */
export async function raceWithExit<T>(
  work: (signal: AbortSignal) => Promise<T>,
  { ended, meaning, clock, signal }: ChildOfWork,
): Promise<T> {
  const gone = new AbortController();
  let isOver = false;
  void ended.then((how) => {
    if (!isOver) gone.abort(new Failed(meaning(how)));
  });
  const either = AbortSignal.any([signal, gone.signal]);
  try {
    return await work(either);
  } catch (error) {
    await Promise.race([ended, clock.sleep(dyingMs, either).catch(() => undefined)]);
    gone.signal.throwIfAborted();
    throw error;
  } finally {
    isOver = true;
  }
}
