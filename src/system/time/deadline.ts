/** Work that must be over in time, and that is told when it no longer counts. */
import { addAbortListener } from 'node:events';
import { AwakeClock } from './awake.ts';
import type { Clock } from './clock.ts';
import { reasonOf } from './clock.ts';
import { Failed, type Failure } from '../failure.ts';

interface Deadline {
  readonly clock: Clock;
  /** Sleep of the machine does not count. */
  readonly timeoutMs: number;
  /** Ends the work early by rejecting with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** What it means that time is up. */
  readonly late: () => Failure;
}

/**
 * Does the work; rejects when time is up or nobody wants it, even if the work itself hangs. The work's own signal is
 * aborted at its end, whatever it is, so that all it waits for can be released there.
 */
export async function within<T>(
  work: (signal: AbortSignal) => Promise<T>,
  { clock, timeoutMs, signal, late }: Deadline,
): Promise<T> {
  if (signal?.aborted === true) throw reasonOf(signal);
  const scope = new AbortController();
  const onAbort = () => scope.abort(reasonOf(signal));
  const listening = signal && addAbortListener(signal, onAbort);
  const cancel = new AwakeClock(clock).after(timeoutMs, () => scope.abort(new Failed(late())));
  try {
    return await Promise.race([work(scope.signal), aborted(scope.signal)]);
  } finally {
    cancel();
    listening?.[Symbol.dispose]();
    scope.abort();
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  const ended = new Promise<never>((_, reject) =>
    signal.addEventListener('abort', () => reject(reasonOf(signal)), { once: true }),
  );
  // Work that ends well aborts too, when nobody listens any more.
  ended.catch(() => undefined);
  return ended;
}
