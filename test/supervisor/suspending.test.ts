import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import { vmPrograms } from '../../src/domain/vm-programs.ts';
import type { DoorControl } from '../../src/supervisor/daemon/door-control.ts';
import { guestPanicked } from '../../src/domain/guest-panicked.ts';
import { guestRebooted, vmKilled } from '../../src/supervisor/health/child-failures.ts';
import { notResumed } from '../../src/supervisor/idle/comeback.ts';
import { readSaved } from '../../src/supervisor/idle/saved-guest.ts';
import type { Scope } from '../../src/supervisor/scope.ts';
import type { Event } from '../../src/supervisor/lifecycle/state.ts';
import { readTrial, trialOf } from '../../src/supervisor/suspend/suspend-trial.ts';
import { Suspending } from '../../src/supervisor/idle/suspending.ts';
import { notSaved } from '../../src/vm/qemu/memory-failures.ts';
import { systemClock, type Clock } from '../../src/system/time/clock.ts';
import { Failed } from '../../src/system/failure.ts';
import type { SaveOptions } from '../../src/vm/vm-driver.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { removeTree } from '../remove-tree.ts';

/** What is free on the host's disk. */
const disk = vi.hoisted(() => {
  // What another file's tests have loaded asks the real disk.
  vi.resetModules();
  return { free: Infinity };
});
vi.mock('../../src/supervisor/disk/disk-room.ts', async (original) => ({
  ...(await original<typeof import('../../src/supervisor/disk/disk-room.ts')>()),
  hasRoom: (_: string, bytes: number) => disk.free >= bytes,
}));

/** What it takes to bring a guest onto the medium. */
const medium = vi.hoisted(() => ({ takes: Promise.resolve() }));
vi.mock('../../src/supervisor/idle/saved-guest.ts', async (original) => ({
  ...(await original<typeof import('../../src/supervisor/idle/saved-guest.ts')>()),
  writeOut: () => medium.takes,
}));

let layout: Layout;
beforeEach(() => {
  layout = layoutOf(mkdtempSync(join(tmpdir(), 'suspending-')));
  mkdirSync(layout.state);
  writeFileSync(layout.disk, 'the disk');
});
afterEach(() => {
  disk.free = Infinity;
  medium.takes = Promise.resolve();
  removeTree(layout.root);
});

const never = new AbortController().signal;
const why = { type: 'asked' } as const;
const config = { idle: { how: 'auto' }, memoryMiB: 1 };

/** What happens at each step, where it is not what is usual. */
interface Odd {
  readonly inside?: object;
  readonly clock?: Clock;
  /** How many the guest says have logged in. */
  readonly loggedIn?: number;
  readonly counts?: object;
  readonly onEvent?: (event: Event, suspending: Suspending) => void;
  readonly planned?: object;
  readonly endWork?: (done: string[]) => Promise<void>;
  readonly settle?: () => Promise<void>;
  readonly save?: (signal: AbortSignal) => Promise<void>;
  readonly takeBack?: () => Promise<void>;
  readonly isOurs?: () => boolean;
  /** The guest is told to go on, first of all what time it is. */
  readonly goOn?: () => void;
  /** The VM program is told to end. */
  readonly leave?: () => void;
  /** Once the guest is in its file. */
  readonly written?: () => void;
}

/** A guest whose every part does as it is told, and what was done with it. */
function rig(odd: Odd = {}) {
  const done: string[] = [];
  const over = new AbortController();
  const doorControl = {
    hasWaiting: false,
    counts: () => ({ held: 0, opening: 0, open: 0, loggedIn: 0, entering: 0, ...odd.counts }),
  };
  const say = (what: string) => () => Promise.resolve(void done.push(what));
  const save = async (path: string, { signal }: SaveOptions) => {
    await say('save')();
    await odd.save?.(signal);
    writeFileSync(path, 'its memory');
    odd.written?.();
  };
  const leave = async () => {
    await say('leave')();
    odd.leave?.();
  };
  const takeBack = async () => {
    await say('take back')();
    await odd.takeBack?.();
  };
  const identity = { program: 'p', machine: 'm', guest: 'g', host: 'h' };
  const bootedAt = new Date().toISOString();
  const scope = {
    running: {
      tried: {
        driver: { row: vmPrograms.qemu },
        used: { accelerator: 'tcg', program: '/q' },
      },
      vm: {
        child: { pid: process.pid, ended: Promise.resolve(), stop: say('stop') },
        machine: { memory: { save, leave, takeBack } },
      },
      guest: {
        keeping: { identity, basis: 'b', bootedAt, resumes: 0, keys: 'k' },
        keys: 'k',
        names: { areOthers: false },
        wasReady: true,
        resumed: undefined,
        ...odd.planned,
      },
    },
    facts: { all: {} },
    config,
    signal: over.signal,
    guest: undefined as unknown,
    end: () => {
      done.push('end');
      over.abort();
    },
  };
  scope.guest = {
    agent: {
      setTime: () => (odd.goOn?.(), say('clock')()),
      exec: async (_path: string, [, script = '', name]: readonly string[]) => {
        if (name === 'logged-in') return { code: 0, stdout: `${odd.loggedIn ?? 0}\n`, stderr: '' };
        const what =
          /--\w+freeze|--freeze|fstrim/.exec(script.split('&\n').at(-1) ?? '')?.[0] ?? '';
        done.push(what);
        if (what === 'fstrim') await odd.settle?.();
        return { code: 0, stdout: '', stderr: '' };
      },
    },
    lookInside: () => Promise.resolve(odd.inside ?? { builds: 0 }),
    vmPause: {
      expect: (isOurs: boolean) => done.push(isOurs ? 'quiet' : 'watched'),
      wasPaused: false,
    },
  };
  const events: Event[] = [];
  const logged: string[] = [];
  const suspending = new Suspending({
    layout,
    clock: odd.clock ?? systemClock,
    log: (level, event) => {
      if (level === 'warn') logged.push(event);
    },
    isOurs: () => odd.isOurs?.() ?? true,
    scope: () => scope as unknown as Scope,
    doorControl: () =>
      Object.assign(doorControl, { hold: () => undefined }) as unknown as DoorControl,
    config: () => config as never,
    dispatch: (event) => {
      events.push(event);
      odd.onEvent?.(event, suspending);
    },
    endWork: () => odd.endWork?.(done) ?? Promise.resolve(),
  });
  const suspend = async () => {
    suspending.perform({ type: 'suspend', why });
    while (events.length === 0) await systemClock.sleep(1);
    return events;
  };
  return {
    done,
    events,
    logged,
    doorControl,
    scope: scope as unknown as Scope,
    suspending,
    suspend,
  };
}

test('the guest is made quiet, written, and ended; then it is committed, and the first one is tried', async () => {
  const { done, suspend, suspending } = rig();
  expect(suspending.keeps).toBe(true);
  const events = await suspend();
  expect(done).toEqual(['quiet', 'fstrim', '--freeze', 'save', 'end', 'leave', 'stop']);
  expect(readSaved(layout)).toMatchObject({ identity: { program: 'p' }, resumes: 0 });
  expect(events.map(({ type }) => type)).toEqual(['suspended', 'wanted']);
});

test.each([
  ['keys', { keys: 'of somebody who is out again' }],
  ['keys, maybe', { keys: undefined }],
  ['name servers', { names: { areOthers: true } }],
])('a guest that was told of other %s is stopped', (_what, planned) => {
  expect(rig({ planned }).suspending.keeps).toBe(false);
});

// Behaviour 123: Until resuming has worked once, and again after each upgrade of QEMU or of the host's system, a
// suspend is a trial: the guest is resumed at once and, if nobody needs it, suspended again. After two failed suspends
// or resumes in a row, the guest is stopped instead of suspended. By itself, this ends after a day if resuming has
// worked before, and otherwise with the next upgrade of QEMU or of the host's system.
test.each([
  ['nobody is there', {}, false, true],
  ['strangers are there', { held: 1, open: 1 }, false, true],
  ['a client of ssh waits', { held: 1 }, true, false],
  ['somebody has logged in', { open: 1, loggedIn: 1 }, false, false],
])(
  'the first one goes again when it has come back and %s: %o',
  async (_what, counts, hasWaiting, goes) => {
    const odd: { counts?: object } = {};
    const { doorControl, events, scope, suspending, suspend } = rig(odd);
    await suspend();
    odd.counts = counts;
    doorControl.hasWaiting = hasWaiting;
    suspending.noteReady(scope);
    expect(events.slice(2)).toEqual(goes ? [{ type: 'rest', why, keeps: true }] : []);
  },
);

test.each([
  ['wants it to stay', (suspending: Suspending) => suspending.stay()],
  ['stops it', (suspending: Suspending) => suspending.note({ type: 'stop' })],
  ['starts it anew', (suspending: Suspending) => suspending.note({ type: 'restart', why: 'w' })],
  ['sends it away', (suspending: Suspending) => suspending.note({ type: 'rest', why })],
])('who %s as it goes has it tried no more', async (_what, ask) => {
  const { events, scope, suspending, suspend } = rig({
    onEvent: ({ type }, of) => (type === 'suspended' ? ask(of) : undefined),
  });
  await suspend();
  suspending.noteReady(scope);
  expect(events.filter(({ type }) => type === 'rest')).toEqual([]);
});

test.each([
  ['wants it', () => undefined],
  ['wants it to stay', (suspending: Suspending) => suspending.stay()],
  ['starts it anew', (suspending: Suspending) => suspending.note({ type: 'restart', why: 'w' })],
])('who %s when it can be taken back no more has it tried no more', async (_what, ask) => {
  const { events, scope, suspending, suspend } = rig({
    leave: () => {
      ask(suspending);
      suspending.perform({ type: 'cancel-suspend' });
    },
  });
  expect((await suspend())[0]).toMatchObject({ type: 'suspended', saved: {} });
  suspending.noteReady(scope);
  expect(events.filter(({ type }) => type === 'rest')).toEqual([]);
});

// Behaviour 125: If a guest is needed again while it is being suspended, its clock is right before anybody is let in.
test('who wants it while it is written has it run on with the right time, which is no fault of the suspend', async () => {
  const wanted = (signal: AbortSignal) =>
    new Promise<void>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error));
      suspending.perform({ type: 'cancel-suspend' });
    });
  const { done, suspending, suspend } = rig({ save: wanted });
  expect(await suspend()).toMatchObject([{ type: 'not-suspended' }]);
  expect(done).toEqual(['quiet', 'fstrim', '--freeze', 'save', 'clock', '--unfreeze', 'watched']);
  expect([trialOf(layout, 'b', Date.now()), suspending.keeps]).toEqual(['untried', true]);
});

test('who comes when it is written has it run on, and its file is no guest any more', async () => {
  const { done, doorControl, suspend } = rig({ written: () => (doorControl.hasWaiting = true) });
  expect(await suspend()).toMatchObject([{ type: 'not-suspended' }]);
  expect(done.slice(3)).toEqual(['save', 'take back', 'clock', '--unfreeze', 'watched']);
  expect([layout.memory, layout.unfinishedMemory, layout.suspended].some(existsSync)).toBe(false);
});

test('a guest that is not to be suspended and does not go on is lost: nobody is told that it is ready', async () => {
  const failure = {
    kind: 'guest-halted',
    message: 'It does not go on.',
    hint: '',
    exit: 69,
  } as const;
  const { done, doorControl, suspend } = rig({
    written: () => (doorControl.hasWaiting = true),
    takeBack: () => Promise.reject(new Failed(failure)),
  });
  expect(await suspend()).toEqual([{ type: 'lost', failure }]);
  // One that stands still hears nothing.
  expect(done.slice(3)).toEqual(['save', 'take back', 'watched']);
});

test('what fails twice is not done again: the guest is stopped from then on', async () => {
  const broken = { save: () => Promise.reject(new Failed(notSaved('It breaks.'))) };
  for (const keeps of [true, false]) {
    const { suspending, suspend } = rig(broken);
    expect(await suspend()).toMatchObject([{ type: 'not-suspended' }]);
    expect([suspending.keeps, suspending.givenUp === undefined]).toEqual([keeps, keeps]);
  }
});

test('what kills the daemon as it is saved, or resumed, is tried twice and no more', async () => {
  const seen: (number | undefined)[] = [];
  const { suspend } = rig({ written: () => void seen.push(readTrial(layout)?.begun) });
  await suspend();
  // It is written down before it happens, and taken back by whoever sees its end.
  expect([...seen, readTrial(layout)?.begun]).toEqual([1, 0]);

  const resumed = { resumed: {}, wasReady: false };
  for (const isLast of [false, true]) {
    const { suspending } = rig({ planned: resumed });
    suspending.note({ type: 'resumes' });
    expect(readTrial(layout)?.begun).toBe(1);
    // It is no failure yet, even if it is the second.
    expect(suspending.givenUp).toBeUndefined();
    // The next daemon's guest boots.
    const next = rig();
    next.suspending.noteReady(next.scope);
    expect(next.logged).toEqual(
      isLast ? ['suspend-trial-cut-short', 'suspends-no-more'] : ['suspend-trial-cut-short'],
    );
    expect(next.suspending.keeps).toBe(!isLast);
  }
});

test.each([
  ['is stopped', { type: 'children-gone' }, 'untried'],
  ['is lost to what passes', { type: 'lost', failure: vmKilled('vm', false, []) }, 'untried'],
] as const)('a trial of a guest that %s meanwhile counts as none', (_what, event, outcome) => {
  for (let n = 0; n < 2; n++) {
    const { suspending } = rig({ planned: { resumed: {}, wasReady: false } });
    suspending.note({ type: 'resumes' });
    suspending.note(event);
  }
  expect(trialOf(layout, 'b', Date.now())).toBe(outcome);
});

test.each([
  ['panics', guestPanicked('Kernel panic', [])],
  ['boots again by itself', guestRebooted([])],
  ['is given up by its VM program', notResumed('It broke.')],
])('a guest that %s as it is resumed has not borne it', (_what, failure) => {
  for (const outcome of ['untried', { why: failure.message }]) {
    const { suspending } = rig({ planned: { resumed: {}, wasReady: false } });
    suspending.note({ type: 'resumes' });
    suspending.note({ type: 'lost', failure });
    suspending.note({ type: 'children-gone' });
    expect(trialOf(layout, 'b', Date.now())).toEqual(outcome);
  }
});

test('where the disk fills up its room is free again before the guest goes on, and the way is as good as before', async () => {
  const full = () => {
    writeFileSync(layout.unfinishedMemory, 'half of its memory');
    disk.free = 0;
    const failure = { kind: 'guest-not-saved', message: 'No room.', hint: '', exit: 69 } as const;
    return Promise.reject(new Failed(failure));
  };
  const left: boolean[] = [];
  for (let n = 0; n < 2; n++) {
    const goOn = () => void left.push(existsSync(layout.unfinishedMemory));
    const { suspend } = rig({ save: full, goOn });
    expect(await suspend()).toMatchObject([{ type: 'not-suspended' }]);
  }
  expect(left).toEqual([false, false]);
  expect(trialOf(layout, 'b', Date.now())).toBe('untried');
});

test('whoever ends the guest meanwhile waits until it goes on', async () => {
  let settled: Promise<void> | undefined;
  const ends = (signal: AbortSignal) =>
    new Promise<void>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error));
      settled = suspending.settle(never).then(() => void done.push('settled'));
    });
  const { done, suspending, suspend } = rig({ save: ends });
  await suspend();
  await settled;
  expect(done.slice(4)).toEqual(['clock', '--unfreeze', 'watched', 'settled']);
  await suspending.settle(never);
});

// Behaviour 104: A second SIGTERM within a second counts as part of the first. A later one stops everything at once.
test('whoever ends the guest at once waits for nothing of it, and for a guest that does not hear not long', async () => {
  for (const isForced of [true, false]) {
    const clock = new FakeClock();
    let ended = (): void => undefined;
    const force = new AbortController();
    const { suspending, suspend, events } = rig({
      clock,
      settle: () => new Promise((resolve) => (ended = resolve)),
    });
    void suspend();
    let isSettled = false;
    const settled = suspending.settle(force.signal).then(() => (isSettled = true));
    await clock.advance(4_999);
    expect(isSettled).toBe(false);
    if (isForced) force.abort();
    else await clock.advance(1);
    await settled;
    expect(events).toEqual([]);
    ended();
  }
});

test('whoever ends the guest waits for one that is being brought onto the medium, unless he ends it at once', async () => {
  for (const isForced of [true, false]) {
    const clock = new FakeClock();
    let written = (): void => undefined;
    medium.takes = new Promise((resolve) => (written = resolve));
    const force = new AbortController();
    let left = (): void => undefined;
    const leaves = new Promise<void>((resolve) => (left = resolve));
    const { suspending, suspend, events, scope } = rig({ clock, leave: () => left() });
    const suspended = suspend();
    await leaves;
    let isSettled = false;
    const settled = suspending.settle(force.signal).then(() => (isSettled = true));
    await clock.advance(10_000);
    expect([isSettled, events, scope.signal.aborted, readSaved(layout)]).toEqual([
      false,
      [],
      true,
      undefined,
    ]);
    if (isForced) force.abort();
    else written();
    await settled;
    written();
    await suspended;
    expect(readSaved(layout)).toMatchObject({ resumes: 0 });
  }
});

test('what we do in the guest is ended first, or it is not frozen', async () => {
  const endWork = (done: string[]) => Promise.resolve(void done.push('ended'));
  const { done, suspend } = rig({ endWork });
  await suspend();
  expect(done.slice(0, 3)).toEqual(['quiet', 'ended', 'fstrim']);
  const busy = rig({ endWork: () => Promise.reject(new Error('it goes on')) });
  expect(await busy.suspend()).toMatchObject([{ type: 'not-suspended' }]);
  expect(busy.done).toEqual(['quiet', 'watched']);
});

test('who was slow to log in, and is in by the time it is quiet, keeps it', async () => {
  const { done, suspend } = rig({ loggedIn: 1 });
  expect(await suspend()).toMatchObject([{ type: 'not-suspended', inUse: true }]);
  expect(done).toEqual(['quiet', 'fstrim', 'watched']);
});

test('a guest that is slow to write out what it holds goes all the same', async () => {
  const failure = { kind: 'agent-silent', message: 'Silent.', hint: '', exit: 69 } as const;
  const { done, suspend } = rig({ settle: () => Promise.reject(new Failed(failure)) });
  expect((await suspend())[0]).toMatchObject({ type: 'suspended', saved: {} });
  expect(done).toContain('save');
});

test.each([
  ['builds', { inside: { builds: 1 } }],
  ['is logged in', { counts: { opening: 1, loggedIn: 1 } }],
  ['logs in', { counts: { open: 1, entering: 1 } }],
])('a guest that somebody %s in is not frozen, which is told', async (_what, odd) => {
  const { done, suspend } = rig(odd);
  expect(await suspend()).toMatchObject([{ type: 'not-suspended', inUse: true }]);
  expect(done).toEqual(['quiet', 'watched']);
});

test('a stranger at the door has no guest stay, or be stopped', async () => {
  const { suspend } = rig({ counts: { opening: 1, open: 1 } });
  expect((await suspend())[0]).toMatchObject({ type: 'suspended', saved: {} });
});

test('where file and disk cannot be committed the guest is gone, and there is nothing to go on from', async () => {
  const { suspend } = rig({ written: () => rmSync(layout.disk) });
  expect(await suspend()).toMatchObject([{ type: 'suspended', saved: undefined }]);
  expect([layout.memory, layout.unfinishedMemory, layout.suspended].some(existsSync)).toBe(false);
});

test.each([
  ['before', 'not-suspended', true],
  ['when it is written', 'suspended', false],
])("%s its directory is another's, nothing of that is touched", async (_when, type, atOnce) => {
  writeFileSync(layout.memory, "another's");
  let isOurs = !atOnce;
  const { suspend } = rig({ isOurs: () => isOurs, leave: () => void (isOurs = false) });
  const [event] = await suspend();
  expect(event).toMatchObject({ type });
  expect(event).not.toHaveProperty('saved.bytes');
  expect(existsSync(layout.suspended)).toBe(false);
  if (atOnce) expect(existsSync(layout.memory)).toBe(true);
});
