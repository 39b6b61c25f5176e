import { describe, expect, test } from 'vitest';
import { Idleness, pauseMs } from '../../src/supervisor/idle/idleness.ts';
import { watchForSleep } from '../../src/system/time/awake.ts';
import { FakeClock } from '../fakes/fake-clock.ts';

const minute = 60_000;
const nobody = { held: 0, opening: 0, open: 0, loggedIn: 0, entering: 0 };
const quiet = { builds: 0, diskBytes: 2, diskFreeBytes: 1, clockOffsetMs: 0 };

/** A guest that is ready, under a watch that lets it go after 10 minutes; `looks` counts how often it was asked. */
function rig() {
  const clock = new FakeClock();
  const at = {
    onLook: (): unknown => undefined,
    counts: nobody,
    inside: quiet as typeof quiet | undefined,
    looks: 0,
    pressure: undefined as 'battery' | 'memory' | undefined,
    isAsked: false,
    hasWaiting: false,
  };
  let afterMs: number | undefined = 10 * minute;
  const idle: (number | string)[] = [];
  const idleness = new Idleness({
    clock,
    afterMs: () => afterMs,
    counts: () => at.counts,
    isAsked: () => at.isAsked,
    hasWaiting: () => at.hasWaiting,
    lookInside: () => {
      at.looks++;
      at.onLook();
      return Promise.resolve(at.inside);
    },
    pressure: () => Promise.resolve(at.pressure),
    onIdle: (why) => {
      idle.push(why.type === 'unused' ? why.forMs : why.type);
      idleness.watch(false);
    },
  });
  idleness.watch(true);
  /** Time goes by, with a look every 5 s. */
  const pass = async (ms: number) => {
    for (let left = ms; left > 0; left -= 5_000) {
      await clock.advance(Math.min(5_000, left));
      idleness.tick();
      await clock.advance(0);
    }
  };
  return { clock, at, idle, idleness, pass, never: () => (afterMs = undefined) };
}

describe('a guest that nobody uses', () => {
  test('is asked once whether it builds, and may go, when its time is over and not before', async () => {
    const { at, idle, pass } = rig();
    await pass(10 * minute - 5_000);
    expect([at.looks, idle]).toEqual([0, []]);
    await pass(5_000);
    expect([at.looks, idle]).toEqual([1, [10 * minute]]);
  });

  test('stays for good where the settings say so', async () => {
    const { at, idle, pass, never } = rig();
    never();
    await pass(30 * minute);
    expect([at.looks, idle]).toEqual([0, []]);
  });

  // Behaviour 110: A guest is sent away only after it has been unused for `idle.after`: nobody was logged in through
  // the door or about to log in, and the guest itself says that it is not building anything. `suspend`,
  // `idle.onBattery` and `idle.onLowMemory` can send it away sooner.
  test.each([
    ['somebody who has logged in', { ...nobody, open: 1, loggedIn: 1 }, false],
    ['somebody who is about to log in', { ...nobody, open: 1, entering: 1 }, false],
    ['somebody who is let in', { ...nobody, opening: 1 }, false],
    ['a client of ssh who waits', { ...nobody, held: 1 }, true],
  ])('stays for %s', async (_, counts, hasWaiting) => {
    const { at, idle, pass } = rig();
    Object.assign(at, { counts, hasWaiting });
    await pass(11 * minute);
    expect(idle).toEqual([]);
    Object.assign(at, { counts: nobody, hasWaiting: false });
    await pass(10 * minute);
    expect(idle).toHaveLength(1);
  });

  test('does not stay longer for a login that only asks for us, but does for others beside it', async () => {
    const { at, idle, idleness, pass } = rig();
    const login = async (loggedIn: number) => {
      const asked = new AbortController();
      idleness.question(asked.signal);
      at.counts = { ...nobody, open: loggedIn, loggedIn };
      idleness.note(at.counts);
      await pass(5_000);
      at.counts = nobody;
      asked.abort();
    };
    await pass(5 * minute);
    await login(1);
    await pass(5 * minute - 5_000);
    expect(idle).toHaveLength(1);

    idleness.watch(true);
    await pass(5 * minute);
    await login(2);
    await pass(9 * minute);
    expect(idle).toHaveLength(1);
    await pass(minute);
    expect(idle).toHaveLength(2);
  });

  test('believes nobody for longer than 5 minutes that he only asks', async () => {
    const { at, clock, idle, idleness, pass } = rig();
    const asked = new AbortController();
    idleness.question(asked.signal);
    await pass(5 * minute);
    at.counts = { ...nobody, open: 1, loggedIn: 1 };
    await pass(5_000);
    at.counts = nobody;
    await pass(9 * minute);
    expect(idle).toEqual([]);
    asked.abort();
    at.counts = { ...nobody, open: 1, loggedIn: 1 };
    await pass(5_000);
    at.counts = nobody;
    await pass(9 * minute);
    expect(idle).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  test('does not stay for strangers who wait without a word of ssh, however many', async () => {
    const { at, idle, pass } = rig();
    at.counts = { ...nobody, held: 40, open: 16 };
    await pass(10 * minute);
    expect(idle).toHaveLength(1);
  });

  // Behaviour 130: A `gc` or `trim` that somebody requests counts as use of the guest. Until it ends, the guest is
  // sent away only if that is forced.
  test.each(['battery', 'memory', undefined] as const)(
    'stays for what somebody has asked for, whatever presses (%s)',
    async (pressure) => {
      const { at, idle, pass } = rig();
      Object.assign(at, { pressure, isAsked: true });
      await pass(30 * minute);
      expect([at.looks, idle]).toEqual([0, []]);
      at.isAsked = false;
      await pass(5_000);
      expect([at.looks, idle]).toEqual([0, []]);
      await pass(10 * minute);
      expect(idle).toHaveLength(1);
    },
  );

  test('stays where it was asked for during the look', async () => {
    const { at, idle, pass } = rig();
    await pass(10 * minute - 5_000);
    at.onLook = () => (at.isAsked = true);
    await pass(minute);
    expect([at.looks, idle]).toEqual([1, []]);
  });

  test('does not stay for a stranger, who does not log in', async () => {
    const { at, idle, pass } = rig();
    at.counts = { ...nobody, open: 1 };
    await pass(10 * minute);
    expect(idle).toHaveLength(1);
  });

  // Behaviour 119: With `idle.onBattery` set to `now`, an unused guest is sent away within a minute while the host
  // runs on battery. With `idle.onLowMemory` set to `now`, the same happens while the host is short of memory.
  test('goes within a minute where this machine wants its power or memory back, and never from a build', async () => {
    const { at, idle, pass, never } = rig();
    never();
    at.pressure = 'battery';
    at.inside = { ...quiet, builds: 1 };
    await pass(5 * minute);
    expect(idle).toEqual([]);
    at.inside = quiet;
    await pass(minute);
    expect(idle).toEqual(['battery']);
  });

  test('has its whole time again after a login between two looks', async () => {
    const { idle, idleness, pass } = rig();
    await pass(9 * minute);
    idleness.note({ loggedIn: 1 });
    await pass(10 * minute - 5_000);
    expect(idle).toEqual([]);
    await pass(5_000);
    expect(idle).toHaveLength(1);
  });

  test('is not kept by connections that do not log in', async () => {
    const { at, idle, idleness, pass } = rig();
    for (let n = 0; n < 10; n++) {
      at.counts = { ...nobody, open: 1 };
      idleness.note(at.counts);
      at.counts = nobody;
      await pass(minute);
    }
    expect(idle).toHaveLength(1);
  });

  test('stays while it builds, also for a build that no connection tells of', async () => {
    const { at, idle, pass } = rig();
    at.inside = { ...quiet, builds: 1 };
    await pass(25 * minute);
    expect([at.looks, idle]).toEqual([2, []]);
    at.inside = quiet;
    await pass(5 * minute);
    expect([at.looks, idle]).toEqual([3, [10 * minute]]);
  });

  test('stays while it does not say, and is asked again a minute later', async () => {
    const { at, idle, pass } = rig();
    at.inside = undefined;
    await pass(12 * minute);
    expect([at.looks, idle]).toEqual([3, []]);
    at.inside = quiet;
    await pass(minute);
    expect(idle).toHaveLength(1);
  });

  test('stays when somebody comes while it is asked', async () => {
    const { clock, at, idle, idleness, pass } = rig();
    await pass(10 * minute - 5_000);
    await clock.advance(5_000);
    idleness.tick();
    at.counts = { ...nobody, opening: 1 };
    await clock.advance(0);
    expect([at.looks, idle]).toEqual([1, []]);
  });

  test('begins anew with each guest, and is nobody while there is none', async () => {
    const { at, idle, idleness, pass } = rig();
    await pass(9 * minute);
    idleness.watch(false);
    await pass(9 * minute);
    idleness.watch(true);
    await pass(10 * minute - 5_000);
    expect([at.looks, idle]).toEqual([0, []]);
  });

  test.each([true, false])(
    'is not held against what the host slept, which gives it no time either (monotonic clock counts it: %s)',
    async (counts) => {
      const { clock, idle, idleness } = rig();
      const slept = (ms: number) => idleness.slept(ms);
      watchForSleep(clock, () => idleness.tick(), slept);
      await clock.advance(9 * minute);
      if (counts) await clock.jump(60 * minute);
      else clock.setWall(clock.now() + 60 * minute);
      // What fell between two looks is known to a look.
      await clock.advance(minute - 10_000);
      expect(idle).toEqual([]);
      await clock.advance(10_000);
      expect(idle).toHaveLength(1);
    },
  );

  test('has no more time for a clock that is set back while the host sleeps', async () => {
    const { clock, idle, idleness, pass } = rig();
    await pass(9 * minute);
    await clock.advance(60 * minute);
    clock.setWall(clock.now() - 300 * minute);
    idleness.slept(60 * minute);
    await pass(minute);
    expect(idle).toHaveLength(1);
  });
});

describe('a guest that is wanted again and again', () => {
  test.each([
    [0, 10],
    [12, 10],
    [13, 20],
    [14, 40],
    [15, 60],
    [40, 60],
  ])('after %i times in an hour stays %i minutes', (wakes, minutes) =>
    expect(pauseMs(10 * minute, wakes)).toBe(minutes * minute),
  );

  test('never stays shorter for it', () => expect(pauseMs(120 * minute, 20)).toBe(120 * minute));

  // Behaviour 114: If a guest is needed again more than 12 times within an hour, the time for which it must be unused
  // before it is sent away doubles each time, up to an hour.
  test('stays longer, and as before when the hour is over', async () => {
    const { clock, idle, idleness, pass } = rig();
    for (let n = 0; n < 13; n++) idleness.noteWake();
    await pass(20 * minute - 5_000);
    expect(idle).toEqual([]);
    await pass(5_000);
    expect(idle).toEqual([20 * minute]);
    await clock.advance(60 * minute);
    idleness.watch(true);
    await pass(10 * minute);
    expect(idle).toEqual([20 * minute, 10 * minute]);
  });
});
