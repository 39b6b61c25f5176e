import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Logins, type Login } from '../../src/supervisor/health/login.ts';
import {
  LivenessMonitor,
  type LivenessMonitorOptions,
} from '../../src/supervisor/health/monitor.ts';
import type { Probe } from '../../src/guest/login/probe.ts';
import { watchForSleep } from '../../src/system/time/awake.ts';
import { Exit, Failed } from '../../src/system/failure.ts';
import { silent } from '../../src/system/log.ts';
import { FakeClock } from '../fakes/fake-clock.ts';

/** A guest that does what its fields say. */
class Guest {
  answers = true;
  greets = false;
  consoleBytes = 0;
  isUsed = true;
  /** Questions to its agent. */
  asked = 0;
  offsetMs = 0;
  /** Undefined: a VM program that hangs, and does not answer at all. */
  disk: number | undefined;
  /** What a login finds; undefined: it hangs. */
  login: Probe | undefined;
  /** When a login was begun, in ms since the beginning. */
  readonly logins: number[] = [];
  hanging = 0;
  readonly found: (Login | undefined)[] = [];
  readonly sets: number[] = [];
  readonly health: string[] = [];
  readonly clock = new FakeClock();
  readonly begun = this.clock.monotonic();
  readonly end = new AbortController();

  #hang(signal: AbortSignal): Promise<never> {
    this.hanging++;
    return new Promise((_, reject) =>
      signal.addEventListener('abort', () => {
        this.hanging--;
        reject(new Failed(late));
      }),
    );
  }

  /** A watch with the daemon's tick. */
  watch(): LivenessMonitor {
    const monitor = new LivenessMonitor(this.options());
    const stop = watchForSleep(
      this.clock,
      () => monitor.tick(),
      () => monitor.afterGap(),
    );
    this.end.signal.addEventListener('abort', stop, { once: true });
    return monitor;
  }

  options(): LivenessMonitorOptions {
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
        time: (signal) => {
          this.asked++;
          return this.answers ? Promise.resolve(this.clock.now() + this.offsetMs) : silence(signal);
        },
        setTime: () => {
          this.sets.push(this.offsetMs);
          this.offsetMs = 0;
          return Promise.resolve();
        },
      },
      greets: (signal) =>
        this.greets ? Promise.resolve(true) : silence(signal).catch(() => false),
      logins: new Logins({
        clock: this.clock,
        log: silent,
        signal: this.end.signal,
        logIn: (signal) => {
          this.logins.push(this.clock.monotonic() - this.begun);
          return this.login === undefined ? this.#hang(signal) : Promise.resolve(this.login);
        },
        onLogin: (found) => this.found.push(found),
      }),
      consoleBytes: () => this.consoleBytes,
      diskOperations: () =>
        this.disk === undefined ? new Promise(() => undefined) : Promise.resolve(this.disk),
      doorBytes: () => 0,
      isUsed: () => this.isUsed,
      onHealth: (health) => this.health.push(health),
      onClock: () => undefined,
    };
  }
}
const refused = { ok: false, requirement: 'ssh', detail: 'd', hint: 'h' } as const;
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
      expect(seconds).toBeLessThanOrEqual(26.5);
      expect(seconds).toBeGreaterThanOrEqual(20);
      froze.end.abort();
    }
  });

  test('finds a guest that nobody uses within 40 s, and within 30 s of somebody who comes', async () => {
    for (const [comesAfterMs, mostMs] of [
      [Infinity, 36_500],
      [0, 26_500],
      [3_000, 29_500],
      [9_000, 35_500],
    ] as const)
      for (let frozeAt = 0; frozeAt <= 15_000; frozeAt += 500) {
        const froze = new Guest();
        froze.isUsed = false;
        froze.watch();
        await froze.clock.advance(14_000 + frozeAt);
        froze.answers = false;
        let ms = 0;
        for (; ms < 60_000 && froze.health.at(-1) !== 'frozen'; ms += 500) {
          froze.isUsed = ms >= comesAfterMs;
          await froze.clock.advance(500);
        }
        expect(ms, `${comesAfterMs} ${frozeAt}`).toBeLessThanOrEqual(mostMs);
        froze.end.abort();
      }
  });

  test('asks a guest that nobody uses every 15 s, and one that is used every 5 s', async () => {
    guest.isUsed = false;
    guest.watch();
    await guest.clock.advance(1_000);
    guest.asked = 0;
    await guest.clock.advance(60_000);
    expect(guest.asked).toBe(4);
    guest.isUsed = true;
    await guest.clock.advance(60_000);
    expect(guest.asked).toBe(16);
  });

  test('finds one whose kernel still writes for 8 s within 30 s', async () => {
    for (let frozeAt = 0; frozeAt <= 5_000; frozeAt += 250) {
      const froze = new Guest();
      froze.watch();
      await froze.clock.advance(14_000 + frozeAt);
      froze.answers = false;
      let ms = 0;
      for (; ms < 60_000 && froze.health.at(-1) !== 'frozen'; ms += 250) {
        if (ms <= 8_000) froze.disk = ms;
        await froze.clock.advance(250);
      }
      expect(ms, `${frozeAt}`).toBeLessThanOrEqual(30_000);
      expect(ms, `${frozeAt}`).toBeGreaterThanOrEqual(20_000);
      froze.end.abort();
    }
  });

  // Behaviour 81: A busy guest is reported as `slow` at worst. It is never restarted for being busy.
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

  // Behaviour 82: While the agent is silent, the daemon tries logins like Nix's, one at a time, and `status` says
  // whether builds get through. A login that is answered is a sign of life.
  test('while the agent is silent it logs in as Nix would, one login at a time and not too often', async () => {
    guest.watch();
    await guest.clock.advance(14_000);
    expect(guest.logins).toEqual([]);
    guest.answers = false;
    guest.login = refused;
    guest.consoleBytes++;
    await guest.clock.advance(12_000);
    expect(guest.found).toEqual([{ works: false, detail: 'd', hint: 'h' }]);
    guest.login = { ok: true, clockOffsetMs: 0, tookMs: 1 };
    await guest.clock.advance(120_000);
    expect(new Set(guest.health.slice(3))).toEqual(new Set(['slow']));
    expect(guest.found.slice(1)).toEqual([{ works: true }]);
    const pauses = guest.logins.slice(1).map((at, index) => at - (guest.logins[index] ?? 0));
    expect(Math.min(...pauses)).toBeGreaterThanOrEqual(7_000);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(14_000);

    guest.answers = true;
    await guest.clock.advance(12_000);
    expect(guest.found.slice(2)).toEqual([undefined]);
    expect(guest.health.at(-1)).toBe('well');
    const count = guest.logins.length;
    await guest.clock.advance(60_000);
    expect(guest.logins).toHaveLength(count);
  });

  test.each([
    ['a nix daemon that is missing', 'nix', 'slow'],
    ['a clock that is off', 'clock', 'slow'],
    ['a login that is refused', 'ssh', 'frozen'],
  ] as const)('%s: the guest is %s', async (_, requirement, health) => {
    guest.watch();
    await guest.clock.advance(1_000);
    guest.answers = false;
    guest.login = { ...refused, requirement, clockOffsetMs: 1 };
    await guest.clock.advance(60_000);
    expect(guest.health.at(-1)).toBe(health);
    const works = requirement === 'clock';
    expect(guest.found.at(-1)).toMatchObject({ works });
  });

  test.each([
    ['the agent answers', () => (guest.answers = true)],
    ['the guest is halted', (monitor: LivenessMonitor) => monitor.halt()],
    ['this start is over', () => guest.end.abort()],
  ])('a login that hangs is no sign of life, and ends when %s', async (_, deed) => {
    const monitor = guest.watch();
    await guest.clock.advance(1_000);
    guest.answers = false;
    await guest.clock.advance(30_000);
    expect(guest.health.at(-1)).toBe('frozen');
    expect(guest.logins).toHaveLength(1);
    expect(guest.hanging).toBe(1);
    deed(monitor);
    await guest.clock.advance(12_000);
    expect(guest.hanging).toBe(0);
    expect(guest.found).toEqual([]);
  });

  // Behaviour 79: Every 5 s, the daemon asks the guest's agent for the time. If the guest's clock is off by more than
  // half a second, the daemon corrects it.
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

  // Behaviour 84: When the host wakes from sleep, the daemon notices within 6 s, and checks the guest's clock and
  // health at once. All deadlines are extended by the length of the sleep, and the guest is not blamed for it.
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
    const monitor = guest.watch();
    await guest.clock.advance(0);
    monitor.halt();
    guest.answers = false;
    await guest.clock.advance(600_000);
    monitor.afterGap();
    await guest.clock.advance(600_000);
    expect(guest.health).toEqual(['well']);
    guest.answers = true;
    monitor.resume();
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
