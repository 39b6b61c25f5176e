import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Vigil, type VigilOptions } from '../../src/supervisor/vigil.ts';
import { watchForSleep } from '../../src/system/awake.ts';
import { Exit, Failed } from '../../src/system/failure.ts';
import { silent } from '../../src/system/log.ts';
import { FakeClock } from '../fakes/fake-clock.ts';

/** A guest that does what its fields say. */
class Guest {
  answers = true;
  greets = false;
  consoleBytes = 0;
  offsetMs = 0;
  /** Undefined: a VM program that hangs, and does not answer at all. */
  disk: number | undefined;
  readonly sets: number[] = [];
  readonly health: string[] = [];
  readonly clock = new FakeClock();
  readonly end = new AbortController();

  /** A watch with the daemon's tick. */
  watch(): Vigil {
    const vigil = new Vigil(this.options());
    const stop = watchForSleep(
      this.clock,
      () => vigil.tick(),
      () => vigil.afterGap(),
    );
    this.end.signal.addEventListener('abort', stop, { once: true });
    return vigil;
  }

  options(): VigilOptions {
    const silence = (signal: AbortSignal | undefined) =>
      new Promise<never>((_, reject) => {
        const give = () => {
          signal?.removeEventListener('abort', give);
          cancel();
          reject(new Failed(late));
        };
        // As the agent does by itself.
        const cancel = this.clock.after(5000, give);
        signal?.addEventListener('abort', give, { once: true });
      });
    return {
      clock: this.clock,
      log: silent,
      signal: this.end.signal,
      agent: {
        time: (signal) =>
          this.answers ? Promise.resolve(this.clock.now() + this.offsetMs) : silence(signal),
        setTime: () => {
          this.sets.push(this.offsetMs);
          this.offsetMs = 0;
          return Promise.resolve();
        },
      },
      greets: (signal) =>
        this.greets ? Promise.resolve(true) : silence(signal).catch(() => false),
      consoleBytes: () => this.consoleBytes,
      diskOperations: () =>
        this.disk === undefined ? new Promise(() => undefined) : Promise.resolve(this.disk),
      doorBytes: () => 0,
      onHealth: (health) => this.health.push(health),
      onClock: () => undefined,
    };
  }
}
const late = { kind: 'agent-silent', message: '', hint: '', exit: Exit.temporary } as const;

let guest: Guest;
beforeEach(() => {
  guest = new Guest();
});
afterEach(() => guest.end.abort());

describe('the watch', () => {
  test('finds a guest that froze at any moment within 30 s, and not before 20 s', async () => {
    for (const [frozeAt, disk] of [[0], [1, 700], [2500, 0], [4999], [5000, 700]] as const) {
      const froze = new Guest();
      froze.disk = disk;
      froze.watch();
      await froze.clock.advance(14_000 + frozeAt);
      froze.answers = false;
      let seconds = 0;
      for (; seconds < 60 && froze.health.at(-1) !== 'frozen'; seconds += 0.5)
        await froze.clock.advance(500);
      expect(seconds).toBeLessThanOrEqual(28.5);
      expect(seconds).toBeGreaterThanOrEqual(20);
      froze.end.abort();
    }
  });

  // Behaviour 22: A guest that is busy is `slow` at worst, and never started again for it.
  test('never calls a busy guest frozen', async () => {
    guest.watch();
    guest.answers = false;
    for (let second = 0; second < 300; second++) {
      if (second % 15 === 0) guest.consoleBytes++;
      await guest.clock.advance(1000);
    }
    expect(new Set(guest.health)).toEqual(new Set(['slow']));
    guest.answers = true;
    await guest.clock.advance(12_000);
    expect(guest.health.at(-1)).toBe('well');
  });

  test('a guest whose sshd greets is slow', async () => {
    guest.watch();
    guest.answers = false;
    guest.greets = true;
    await guest.clock.advance(120_000);
    expect(new Set(guest.health)).toEqual(new Set(['slow']));
  });

  // Behaviour 20: Every 5 s the guest's agent is asked for its time; a clock that is more than half a second off is set.
  test('sets a clock that is off, at once and ever after, and leaves a right one', async () => {
    guest.offsetMs = -900;
    guest.watch();
    await guest.clock.advance(0);
    expect(guest.sets).toEqual([-900]);
    await guest.clock.advance(60_000);
    expect(guest.sets).toHaveLength(1);
    guest.offsetMs = 32 * 3600_000;
    await guest.clock.advance(7_000);
    expect(guest.sets).toEqual([-900, 32 * 3600_000]);
  });

  // Behaviour 24: A sleep of the host is noticed within 6 s of the wake; deadlines are moved by it, nothing is held against
  // the guest, its clock is set and its health looked at, at once.
  test('a sleep is not held against the guest, and ends in a look at once', async () => {
    guest.watch();
    await guest.clock.advance(1000);
    guest.answers = false;
    await guest.clock.advance(15_000);
    guest.offsetMs = -3600_000;
    guest.answers = true;
    await guest.clock.jump(3600_000);
    await guest.clock.advance(0);
    expect(guest.health).not.toContain('frozen');
    expect(guest.sets).toEqual([-3600_000]);
  });

  test('halted, it does not look, also after a sleep, until the guest goes on', async () => {
    const vigil = guest.watch();
    await guest.clock.advance(0);
    vigil.halt();
    guest.answers = false;
    await guest.clock.advance(600_000);
    vigil.afterGap();
    await guest.clock.advance(600_000);
    expect(guest.health).toEqual(['well']);
    guest.answers = true;
    vigil.resume();
    await guest.clock.advance(0);
    expect(guest.health).toEqual(['well', 'well']);
  });

  test('ends with its signal and leaves no timer', async () => {
    guest.watch();
    await guest.clock.advance(3000);
    guest.end.abort();
    expect(guest.clock.pending).toBe(0);
  });
});
