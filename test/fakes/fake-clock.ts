import { reasonOf, type Clock } from '../../src/system/time/clock.ts';

interface Timer {
  readonly at: number;
  readonly fire: () => void;
}

/** A clock that stands still until it is advanced. Wall and monotonic time start apart, so that none passes for the other. */
export class FakeClock implements Clock {
  #wall: number;
  #monotonic = 1_000;
  #timers: Timer[] = [];
  #watchers: (() => void)[] = [];

  constructor(wallMs = Date.parse('2026-01-02T03:04:05Z')) {
    this.#wall = wallMs;
  }

  now(): number {
    return this.#wall;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(reasonOf(signal));
      const onAbort = () => {
        cancel();
        reject(reasonOf(signal));
      };
      const cancel = this.after(ms, () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      });
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  after(ms: number, fn: () => void): () => void {
    const timer: Timer = { at: this.#monotonic + Math.max(0, ms), fire: fn };
    this.#timers.push(timer);
    for (const wake of this.#watchers.splice(0)) wake();
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** How many timers wait. */
  get pending(): number {
    return this.#timers.length;
  }

  /** Milliseconds until each waiting timer is due, soonest first. */
  get due(): number[] {
    return this.#timers.map(({ at }) => at - this.#monotonic).sort((a, b) => a - b);
  }

  /** Resolves when at least `count` timers wait: the way to know that the code under test has gone to sleep. */
  async waiting(count = 1): Promise<void> {
    while (this.#timers.length < count)
      await new Promise<void>((resolve) => this.#watchers.push(resolve));
  }

  /** A sleep of the machine as macOS shows it: both clocks have gone on, and what was due in it fires now, late. */
  async jump(ms: number): Promise<void> {
    this.#move(ms);
    await this.advance(0);
  }

  /** Moves both clocks, firing what becomes due in order; what that sets off runs before the next one fires. */
  async advance(ms: number): Promise<void> {
    const end = this.#monotonic + ms;
    await settle();
    for (;;) {
      const next = this.#timers.reduce<Timer | undefined>(
        (first, timer) => (first === undefined || timer.at < first.at ? timer : first),
        undefined,
      );
      if (next === undefined || next.at > end) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#move(Math.max(0, next.at - this.#monotonic));
      next.fire();
      await settle();
    }
    this.#move(end - this.#monotonic);
    await settle();
  }

  /** A jump of the wall clock alone, as by NTP or by hand. */
  setWall(wallMs: number): void {
    this.#wall = wallMs;
  }

  #move(ms: number): void {
    this.#monotonic += ms;
    this.#wall += ms;
  }
}

/** Lets microtasks, promises and immediates run, some rounds of them. */
export async function settle(rounds = 5): Promise<void> {
  for (let round = 0; round < rounds; round++)
    await new Promise<void>((resolve) => setImmediate(resolve));
}
