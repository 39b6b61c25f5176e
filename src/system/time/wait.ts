/** Waiting for a fact: held, or its condition cannot come any more, or time is up, or nobody wants it now. */
import { awakeMs, reading } from './awake.ts';
import type { Clock } from './clock.ts';

interface Until {
  readonly clock: Clock;
  /** Ends the wait by rejecting with the signal's reason. */
  readonly signal?: AbortSignal;
  /** How often the fact is looked at. */
  readonly everyMs: number;
  /** Sleep of the machine does not count. */
  readonly timeoutMs: number;
  /** Settles when the fact can no longer come: the process concerned is gone. */
  readonly orEnded?: Promise<unknown>;
}

/** In a look that took longer the machine slept: nobody is asked for so long. */
const longestLookMs = 30_000;

/** Looks at a fact until it holds. `ended` is only said when the fact does not hold either. */
export async function until(
  fact: () => boolean | Promise<boolean>,
  options: Until,
): Promise<'held' | 'timed-out' | 'ended'> {
  const { clock, signal, everyMs, timeoutMs } = options;
  let leftMs = timeoutMs;
  const end = { seen: false };
  const ended = options.orEnded?.then(() => (end.seen = true));
  for (;;) {
    const begun = clock.monotonic();
    if (await fact()) return 'held';
    // A look takes time as well: one that asks somebody who does not answer, seconds.
    const tookMs = clock.monotonic() - begun;
    if (tookMs < longestLookMs) leftMs -= tookMs;
    if (end.seen) return 'ended';
    if (leftMs <= 0) return 'timed-out';
    const set = reading(clock);
    if (ended === undefined) await clock.sleep(everyMs, signal);
    else await nap(everyMs, ended, options);
    leftMs -= awakeMs(clock, set, everyMs);
  }
}

/** Sleeps, or wakes at the end; no timer stays behind, which would keep a daemon that has nothing more to do. */
async function nap(ms: number, ended: Promise<unknown>, { clock, signal }: Until): Promise<void> {
  const over = new AbortController();
  const either = signal === undefined ? over.signal : AbortSignal.any([signal, over.signal]);
  try {
    await Promise.race([clock.sleep(ms, either), ended]);
  } finally {
    over.abort();
  }
}
