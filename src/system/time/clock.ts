import { setTimeout as delay } from 'node:timers/promises';

/** The only source of time. Everything that waits takes a Clock, so that tests move time themselves. */
export interface Clock {
  /** Wall time in ms since 1970. */
  now(): number;
  /** Milliseconds that only grow; for durations. Counts sleep on macOS, not on Linux. */
  monotonic(): number;
  /** Resolves after ms, rejects with the signal's reason when aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls fn once after ms; the returned function cancels. Does not keep the process alive when unref'd. */
  after(ms: number, fn: () => void): () => void;
}

/** The real one. Only it touches time. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: async (ms, signal) => {
    try {
      await delay(ms, undefined, signal && { signal });
    } catch (error) {
      // Node's own AbortError has the reason as its cause.
      throw signal?.aborted === true ? reasonOf(signal) : error;
    }
  },
  after: (ms, fn) => {
    // A timer takes a millisecond at least.
    if (ms <= 0) {
      const immediate = setImmediate(fn);
      return () => clearImmediate(immediate);
    }
    const timer = setTimeout(fn, ms);
    return () => clearTimeout(timer);
  },
};

/** What an abort is thrown as: the reason itself when it is an Error. */
export function reasonOf(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason : new Error('aborted');
}
