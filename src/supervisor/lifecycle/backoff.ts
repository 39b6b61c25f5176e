/** When to try again and when to give up: pure. */
import type { Failure } from '../../system/failure.ts';
import { advice, asSentence, ours } from '../../system/advice.ts';

/** Times in ms. */
export interface Policy {
  /** Wait before the second attempt; doubles with each further one. After a stable life there is none. */
  readonly firstDelayMs: number;
  /** The same where it is up to another process. */
  readonly firstDelayElsewhereMs: number;
  /** The longest wait. */
  readonly maxDelayMs: number;
  /** Attempts in a row without a stable life before giving up. */
  readonly maxAttempts: number;
  /** A `ready` at least this long makes the next loss a first attempt again. */
  readonly stableMs: number;
}

/**
 * At worst 5 attempts and 3.75 s of waiting: short enough to be told. What another process holds is waited for 30 s in all: a daemon
 * whose state directory was deleted needs 5 s to notice it and up to 25 s to end.
 */
export const defaultPolicy: Policy = {
  firstDelayMs: 250,
  firstDelayElsewhereMs: 2_000,
  maxDelayMs: 30_000,
  maxAttempts: 5,
  stableMs: 60_000,
};

type AfterLoss =
  /** At once, and as a first attempt: that way has lost nothing yet. */
  | { readonly type: 'other-way' }
  | { readonly type: 'retry'; readonly ms: number }
  | { readonly type: 'give-up'; readonly failure: Failure };

/** attempt: the number of the start that was lost, 1 for the first; 0 for a start that had been stable. */
export function afterLoss(failure: Failure, attempt: number, policy: Policy): AfterLoss {
  const { recovery } = failure;
  // There are few ways, and each is rejected once.
  if (recovery === 'other-way') return { type: 'other-way' };
  if (recovery === 'give-up') return { type: 'give-up', failure };
  if (attempt >= policy.maxAttempts)
    return { type: 'give-up', failure: exhausted(failure, attempt, policy) };
  if (attempt === 0 && recovery !== 'wait') return { type: 'retry', ms: 0 };
  const first = recovery === 'wait' ? policy.firstDelayElsewhereMs : policy.firstDelayMs;
  const ms = Math.min(policy.maxDelayMs, first * 2 ** Math.min(20, Math.max(0, attempt - 1)));
  return { type: 'retry', ms };
}

const minute = 60_000;

/**
 * After giving up clients are sent off for so long, in ms; the first that comes later brings another try: what was in the way may have
 * gone. It is four times as long after each try in vain, so that a client is seldom held for nothing.
 */
export function refusedMs({ recovery }: Failure, attempt: number, policy: Policy): number {
  const first = recovery === 'give-up' ? 1 : policy.maxAttempts;
  return Math.min(60 * minute, minute * 4 ** Math.max(0, attempt - first));
}

/** The attempt that a client brings: counted on, until the wait grows no more. */
export const laterAttempt = (attempt: number, { maxAttempts }: Policy): number =>
  Math.min(attempt + 1, maxAttempts + growths);
/** From a minute to an hour. */
const growths = 3;

const exhausted = (failure: Failure, attempts: number, { maxAttempts }: Policy): Failure => ({
  ...failure,
  message: `Gave up after ${attempts > maxAttempts ? `more than ${maxAttempts}` : attempts} failed attempts. The last one: ${failure.message}`,
  hint: advice`${asSentence(failure.hint)} Then run: ${ours('restart')}`,
});
