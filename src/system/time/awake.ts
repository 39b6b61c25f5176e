/**
 * Time in which somebody was awake. On macOS both of Node's clocks go on while the machine sleeps, and every timer that became due
 * in a sleep fires at the wake; on Linux the wall clock jumps. A deadline of 180 s must mean 180 s of work.
 */
import { addAbortListener } from 'node:events';
import { reasonOf, type Clock } from './clock.ts';

/** A timer that is later than this was asleep: no event loop of ours is busy for so long. */
export const asleepMs = 5_000;
const sliceMs = 5_000;

/** What both clocks said at one moment. */
export const reading = (clock: Clock) => ({ now: clock.now(), monotonic: clock.monotonic() });
type Reading = ReturnType<typeof reading>;

/** How much of the time since a timer was set was slept, by either clock; 0 for an ordinary lateness. */
function slept(clock: Clock, set: Reading, ms: number): number {
  const late = Math.max(clock.now() - set.now, clock.monotonic() - set.monotonic) - ms;
  return late > asleepMs ? late : 0;
}

/** How long somebody was awake since then, if a wait of ms was all that came between. */
export const awakeMs = (clock: Clock, set: Reading, ms: number): number =>
  slept(clock, set, ms) > 0 ? ms : clock.monotonic() - set.monotonic;

/** Calls onWake soon after each sleep (of the machine, or of this process alone), with its length. Returns the end of it. */
export function watchForSleep(
  clock: Clock,
  onTick: () => void,
  onWake: (sleptMs: number) => void,
): () => void {
  let cancel: () => void = () => undefined;
  const tick = () => {
    const set = reading(clock);
    cancel = clock.after(sliceMs, () => {
      const ms = slept(clock, set, sliceMs);
      tick();
      if (ms > 0) onWake(ms);
      onTick();
    });
  };
  tick();
  return () => cancel();
}

/** A clock whose waits do not count sleep, nor the time between pause() and resume(). */
export class AwakeClock implements Clock {
  readonly #clock: Clock;
  #paused = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
  }

  now(): number {
    return this.#clock.now();
  }

  monotonic(): number {
    return this.#clock.monotonic();
  }

  /** By its own timers, which count otherwise than the system's. */
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(reasonOf(signal));
      const onAbort = () => {
        cancel();
        reject(reasonOf(signal));
      };
      const cancel = this.after(ms, () => {
        listening?.[Symbol.dispose]();
        resolve();
      });
      const listening = signal && addAbortListener(signal, onAbort);
    });
  }

  after(ms: number, fn: () => void): () => void {
    let left = ms;
    let cancel: () => void = () => undefined;
    const next = () => {
      const slice = Math.min(left, sliceMs);
      const set = reading(this.#clock);
      cancel = this.#clock.after(slice, () => {
        if (!this.#paused) left -= awakeMs(this.#clock, set, slice);
        if (left <= 0.5) fn();
        else next();
      });
    };
    next();
    return () => cancel();
  }
}
