import { describe, expect, test } from 'vitest';
import type { GuestAgent, GuestExec } from '../../src/guest/agent/agent.ts';
import type { DoorControl } from '../../src/supervisor/daemon/door-control.ts';
import { Exit, Failed } from '../../src/system/failure.ts';
import { bytesToFree } from '../../src/supervisor/disk/bytes-to-free.ts';
import { Housekeeping } from '../../src/supervisor/idle/housekeeping.ts';
import { nobody } from '../fakes/commands.ts';
import { FakeClock } from '../fakes/fake-clock.ts';

const GiB = 1024 ** 3;
const silence = { kind: 'agent-silent', message: 'm', hint: 'h', exit: Exit.unavailable };
/** What df says of a store of 40 GiB. */
const df = (freeGiB: number) => `/dev/vda ${40 * 1024 ** 2} 1 ${freeGiB * 1024 ** 2} 1% /nix\n`;

/** What a request brings, unless its signal aborts. */
const unlessAborted = <T>(answered: Promise<T>, signal = new AbortController().signal) =>
  Promise.race([
    answered,
    new Promise<never>((_, reject) => {
      if (signal.aborted) reject(signal.reason as Error);
      else signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    }),
  ]);

/** A ready guest behind a door, and what it was asked to do. */
function rig() {
  const clock = new FakeClock();
  const asked: string[] = [];
  const at = {
    traffic: 0 as number | undefined,
    counts: nobody,
    hasWaiting: false,
    ready: true,
    withheld: [] as boolean[],
    freeGiB: 30,
    code: 0,
    logged: [] as string[],
    /** What it says to whoever tells a collection to end, and asks it to trim; the last one stands. */
    stops: [0] as number[],
    trim: 0 as number | Promise<never>,
    tidy: Promise.resolve(),
    end: undefined as ((ended: GuestExec) => void) | undefined,
    lose: undefined as ((why: Error) => void) | undefined,
  };
  const answer = (code: number) => ({ code, stdout: df(at.freeGiB), stderr: '' });
  const exec: GuestAgent['exec'] = (_, argv, options) => {
    const [, script = '', name, ...more] = argv;
    if (name === 'collect') {
      asked.push(['collect', ...more].join(' ').trim());
      return new Promise((resolve, reject) => ((at.end = resolve), (at.lose = reject)));
    }
    const what = script.includes('kill') ? 'stop' : script.includes('caches') ? 'tidy' : 'trim';
    asked.push(what);
    const code = Promise.resolve(what === 'tidy' ? at.tidy.then(() => at.code) : at.trim);
    if (what !== 'stop') return unlessAborted(code.then(answer), options?.signal);
    return Promise.resolve(answer((at.stops.length > 1 ? at.stops.shift() : at.stops[0]) ?? 0));
  };
  const doorControl = {
    counts: () => at.counts,
    withhold: (isWanted: boolean) => void at.withheld.push(isWanted),
  };
  Object.defineProperties(doorControl, {
    traffic: { get: () => at.traffic },
    hasWaiting: { get: () => at.hasWaiting },
  });
  const agent = { exec };
  const housekeeping = new Housekeeping({
    clock,
    layout: { root: '/' },
    log: (_, event) => void at.logged.push(event),
    signal: new AbortController().signal,
    agent: () => (at.ready ? agent : undefined),
    doorControl: () => doorControl as unknown as DoorControl,
  });
  /** Time goes by, with a look every 5 s. */
  const pass = async (ms: number) => {
    for (let left = ms; left > 0; left -= 5_000) {
      await clock.advance(Math.min(5_000, left));
      housekeeping.tick();
      await clock.advance(0);
    }
  };
  /** The collection comes to its end. */
  const finish = async (code = 0) => {
    at.end?.(answer(code));
    await clock.advance(0);
  };
  return { clock, at, asked, housekeeping, pass, finish };
}

// Behaviour 126: Once the guest has been unused for half a minute, it frees the memory of its caches and gives back its
// free disk blocks. If less than a quarter of the guest's disk is free, or less than 8 GiB on the host's disk, old
// store paths in the guest are deleted as well. The daemon starts none of this during a build.
describe('a guest that nobody uses', () => {
  test('gives back what it has once after each use, half a minute later', async () => {
    const { at, asked, pass } = rig();
    await pass(30_000);
    expect(asked).toEqual([]);
    await pass(600_000);
    expect(asked).toEqual(['tidy', 'trim']);
    // Somebody comes, and is there for a while.
    at.traffic = undefined;
    await pass(600_000);
    at.traffic = 10;
    await pass(30_000);
    expect(asked).toHaveLength(2);
    await pass(600_000);
    expect(asked).toEqual(['tidy', 'trim', 'tidy', 'trim']);
  });

  // Behaviour 244: A build directory that `debug` keeps is opened again without another build, and `status` counts
  // it. It is deleted by `gc`, or once nobody has opened it for 7 days.
  test('is tidied every day where nobody comes: what is in it grows old', async () => {
    const { asked, clock, pass } = rig();
    await pass(40_000);
    expect(asked).toEqual(['tidy', 'trim']);
    await clock.advance(86_300_000);
    await pass(60_000);
    expect(asked).toEqual(['tidy', 'trim']);
    await pass(60_000);
    expect(asked).toEqual(['tidy', 'trim', 'tidy', 'trim']);
  });

  test('is left alone while it is not ready, and asked again where a build runs that came another way', async () => {
    const { at, asked, pass } = rig();
    at.ready = false;
    await pass(600_000);
    expect(asked).toEqual([]);
    at.ready = true;
    at.code = 75;
    await pass(40_000);
    expect(asked).toEqual(['tidy']);
    at.code = 0;
    await pass(600_000);
    expect(asked).toEqual(['tidy', 'tidy', 'trim']);
  });

  test('lets old store paths go before its disk is full, and keeps those of the last hour', async () => {
    const { at, asked, pass, finish } = rig();
    at.freeGiB = 9;
    await pass(40_000);
    expect(asked).toEqual(['tidy', `collect 60 ${11 * GiB}`]);
    expect(at.withheld).toEqual([true]);
    expect(asked).not.toContain('trim');
    await finish();
    expect(at.withheld).toEqual([true, false]);
    expect(asked.at(-1)).toBe('trim');
  });

  test('has what it did not do logged, and is asked again after the next use', async () => {
    const { at, asked, pass } = rig();
    const lost = Promise.reject(new Failed(silence));
    lost.catch(() => undefined);
    at.trim = lost;
    await pass(40_000);
    expect(at.logged).toEqual(['guest-tidied', 'guest-not-trimmed']);
    at.trim = 0;
    at.traffic = 1;
    await pass(40_000);
    expect(asked).toEqual(['tidy', 'trim', 'tidy', 'trim']);
  });

  test('keeps all where it cannot keep what came last, and says so', async () => {
    const { at, pass, finish } = rig();
    at.freeGiB = 9;
    at.stops = [1];
    await pass(40_000);
    await finish(74);
    await pass(5_000);
    expect(at.logged.at(-1)).toBe('guest-not-tidied');
    expect(at.withheld).toEqual([true, false]);
  });

  test('is not asked to delete again for an hour where what is left has to stay', async () => {
    const { at, asked, pass, finish } = rig();
    at.freeGiB = 9;
    const collections = () => asked.filter((each) => each.startsWith('collect')).length;
    await pass(40_000);
    await finish();
    for (let use = 1; use <= 10; use++) {
      at.traffic = use;
      await pass(300_000);
    }
    expect([collections(), asked.filter((each) => each === 'tidy').length]).toEqual([1, 11]);
    at.traffic = 11;
    await pass(600_000);
    at.traffic = 12;
    await pass(40_000);
    expect(collections()).toBe(2);
    at.freeGiB = 30;
    await finish();
  });
});

// Behaviour 127: A garbage collection that the daemon or `gc` has started never deletes what a build has just
// received. No client is let in while it is running; an arriving client ends it, at once or, if somebody ran `gc`,
// within half a minute.
describe('a collection', () => {
  test.each([
    ['has logged in', { loggedIn: 1 }],
    ['logs in', { entering: 1 }],
    ['is let in', { opening: 1 }],
  ])('does not begin while somebody %s', async (_, counts) => {
    const { at, asked, housekeeping } = rig();
    at.counts = { ...nobody, ...counts };
    await expect(housekeeping.collect()).rejects.toMatchObject({
      failure: { kind: 'guest-in-use' },
    });
    expect([asked, at.withheld]).toEqual([[], [true, false]]);
  });

  test('of our own ends as soon as a client comes', async () => {
    const { at, asked, pass, housekeeping, finish, clock } = rig();
    at.freeGiB = 1;
    await pass(40_000);
    housekeeping.onWaiting();
    housekeeping.onWaiting();
    await clock.advance(0);
    expect(asked.slice(2)).toEqual(['stop']);
    // It had not begun yet, so it is told again.
    await clock.advance(2_000);
    housekeeping.onWaiting();
    await clock.advance(0);
    expect(asked.slice(2)).toEqual(['stop', 'stop', 'stop']);
    await finish(143);
    expect(at.withheld).toEqual([true, false]);
    housekeeping.onWaiting();
    await clock.advance(60_000);
    expect(asked.slice(2)).toEqual(['stop', 'stop', 'stop']);
  });

  test('that was asked for goes on for half a minute, deletes all, and says whether it came to its end', async () => {
    const { at, asked, housekeeping, finish, clock } = rig();
    at.hasWaiting = true;
    const collected = housekeeping.collect();
    await clock.advance(29_999);
    expect(asked).toEqual(['collect 0']);
    await clock.advance(1);
    expect(asked).toEqual(['collect 0', 'stop']);
    await expect(housekeeping.collect()).rejects.toMatchObject({
      failure: { kind: 'guest-in-use' },
    });
    await finish(143);
    expect(await collected).toEqual({
      isDone: false,
      diskBytes: 40 * GiB,
      diskFreeBytes: 30 * GiB,
    });
    const again = housekeeping.collect();
    await finish();
    expect(await again).toMatchObject({ isDone: true });
    expect(asked.at(-1)).toBe('trim');
    expect(clock.due).toEqual([]);
  });

  test('lets in whoever comes before the blocks go back', async () => {
    const { at, asked, housekeeping, finish } = rig();
    at.trim = new Promise(() => undefined);
    void housekeeping.collect();
    await finish();
    expect([asked.at(-1), at.withheld]).toEqual(['trim', [true, false]]);
  });

  // Behaviour 132: A garbage collection can be stopped at any time; the request to stop is repeated until it has
  // stopped. If the collection cannot make sure that the newest paths, which builds might still need, are kept, it
  // deletes nothing.
  test('of which nothing is heard is told to end, and nobody is let in before it has', async () => {
    const { at, asked, housekeeping, clock } = rig();
    at.stops = [0, 0, 127, 1, 0, 1];
    const lost = expect(housekeeping.collect()).rejects.toMatchObject({ failure: silence });
    at.lose?.(new Failed(silence));
    await clock.advance(5_999);
    expect([asked.filter((what) => what === 'stop').length, at.withheld]).toEqual([6, [true]]);
    await clock.advance(1);
    await lost;
    expect([asked.filter((what) => what === 'stop').length, at.withheld]).toEqual([
      7,
      [true, false],
    ]);
  });

  test.each([
    ['for a minute at most', true, 60_000, 60],
    ['not in a guest that is gone', false, 0, 0],
  ])('of which nothing is heard is told to end, %s', async (_, ready, ms, stops) => {
    const { at, asked, housekeeping, clock } = rig();
    const lost = expect(housekeeping.collect()).rejects.toMatchObject({ failure: silence });
    at.ready = ready;
    at.lose?.(new Failed(silence));
    await clock.advance(ms);
    await lost;
    expect(asked.filter((what) => what === 'stop')).toHaveLength(stops);
    expect(at.withheld).toEqual([true, false]);
  });

  test('is not begun any more in a guest that goes, whatever comes of the look before it', async () => {
    for (const isSlow of [true, false]) {
      const { at, asked, housekeeping, pass, clock } = rig();
      at.freeGiB = 1;
      let look = (): void => undefined;
      at.tidy = new Promise((resolve) => (look = resolve));
      await pass(35_000);
      expect(asked).toEqual(['tidy']);
      if (!isSlow) look();
      const over = housekeeping.end();
      await clock.advance(0);
      await over;
      look();
      await clock.advance(0);
      expect([asked, at.withheld, at.logged]).toEqual([['tidy'], [], []]);
    }
  });

  test('is waited for by who has the guest go, and no blocks are given back then', async () => {
    const { at, asked, housekeeping, finish, clock } = rig();
    let isOver = false;
    void housekeeping.collect();
    const over = housekeeping.end().then(() => (isOver = true));
    await clock.advance(0);
    expect([asked.at(-1), isOver]).toEqual(['stop', false]);
    at.trim = new Promise(() => undefined);
    await finish();
    await over;
    expect(at.withheld).toEqual([true, false]);
  });

  // Behaviour 130: A `gc` or `trim` that somebody requests counts as use of the guest. Until it ends, the guest is
  // sent away only if that is forced.
  test('or a trim that was asked for is a use of the guest, and one of our own is none', async () => {
    const { at, housekeeping, finish, pass } = rig();
    const collected = housekeeping.collect();
    expect(housekeeping.isAsked).toBe(true);
    await finish();
    await collected;
    const trimmed = housekeeping.trim();
    expect(housekeeping.isAsked).toBe(true);
    await trimmed;
    expect(housekeeping.isAsked).toBe(false);
    at.freeGiB = 1;
    await pass(40_000);
    expect([at.withheld.at(-1), housekeeping.isAsked]).toEqual([true, false]);
  });

  test('ends before the guest goes, whoever asked for it', async () => {
    const { at, asked, housekeeping, finish, clock } = rig();
    await housekeeping.end();
    at.hasWaiting = true;
    void housekeeping.collect();
    const ended = housekeeping.end();
    await clock.advance(0);
    expect(asked).toEqual(['collect 0', 'stop']);
    await finish(143);
    await ended;
    void housekeeping.collect();
    const late = expect(housekeeping.end()).rejects.toMatchObject({
      failure: { kind: 'guest-in-use' },
    });
    await clock.advance(20_000);
    await late;
    await finish(143);
  });

  test('needs a guest that is ready', async () => {
    const { at, housekeeping } = rig();
    at.ready = false;
    const failed = { failure: { kind: 'guest-not-ready' } };
    await expect(housekeeping.collect()).rejects.toMatchObject(failed);
    await expect(housekeeping.trim()).rejects.toMatchObject(failed);
  });
});

test.each([
  ['a disk with a quarter free', 40, 10, 100, 0],
  ['one with less: half of it is to be free', 40, 9, 100, 11],
  ['a host that is short of room', 40, 30, 7, 10],
  ['a host that is short of room, of which the guest has none', 40, 39.5, 7, 0],
])('%s', (_, disk, free, host, bytes) =>
  expect(bytesToFree({ diskBytes: disk * GiB, diskFreeBytes: free * GiB }, host * GiB)).toBe(
    bytes * GiB,
  ),
);
