/** Trying again what may pass by itself: a connection that broke, a mirror that is busy. */
import type { Clock } from '../../system/time/clock.ts';
import { Failed, type Failure } from '../../system/failure.ts';

/** A failure that another try can mend. */
export class Passing extends Failed {
  /** How long the other side asks us to wait, in ms. */
  readonly waitMs: number;
  constructor(
    failure: Failure,
    { waitMs = 0, ...options }: ErrorOptions & { waitMs?: number } = {},
  ) {
    super(failure, options);
    this.waitMs = waitMs;
  }
}

/** How often, how long, and by whose clock. */
export interface RetryOptions {
  readonly clock: Clock;
  readonly signal?: AbortSignal;
  /** How often something is tried again, and how long is waited first; then twice as long each time. Default 5, 500 ms. */
  readonly retries?: number;
  readonly retryMs?: number;
  /** Called with a wait that a person would notice, in a sentence. */
  readonly onLongWait?: (sentence: string) => void;
}

/** Nobody waits longer than this for a mirror that asks for it. */
const longestWaitMs = 120_000;

/** From here on a wait is told. */
const noticedMs = 3_000;

/** Does the work, and again while it fails in a way that passes. */
export async function withRetries<T>(options: RetryOptions, work: () => Promise<T>): Promise<T> {
  const { clock, signal, retries = 5, retryMs = 500, onLongWait } = options;
  for (let attempt = 0; ; attempt++)
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Passing) || attempt >= retries || error.waitMs > longestWaitMs)
        throw error;
      const ms = Math.max(error.waitMs, retryMs * 2 ** attempt);
      if (ms >= noticedMs)
        onLongWait?.(`${error.failure.message} Retrying in ${Math.ceil(ms / 1000)} s.`);
      await clock.sleep(ms, signal);
    }
}
