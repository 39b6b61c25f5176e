import { describe, expect, test } from 'vitest';
import { afterLoss, defaultPolicy } from '../../src/supervisor/lifecycle/backoff.ts';
import { initial, step } from '../../src/supervisor/lifecycle/lifecycle.ts';
import { traitsOf } from '../../src/supervisor/lifecycle/phases.ts';
import { heedsClients, isResting } from '../../src/supervisor/lifecycle/resting.ts';
import type { Effect, Event, State } from '../../src/supervisor/lifecycle/state.ts';
import { Exit, type Failure } from '../../src/system/failure.ts';

const passing: Failure = {
  kind: 'vm-exited',
  message: 'It ended.',
  hint: 'Look.',
  exit: Exit.unavailable,
};
const lasting: Failure = {
  kind: 'disk-not-ours',
  message: 'Not ours.',
  hint: 'Move it.',
  exit: Exit.dataError,
  recovery: 'give-up',
};

const events: readonly Event[] = [
  { type: 'start' },
  { type: 'stop' },
  { type: 'restart', why: 'asked' },
  { type: 'rest', why: { type: 'unused', forMs: 600_000 } },
  { type: 'rest', why: { type: 'asked' } },
  { type: 'rest', why: { type: 'asked' }, keeps: true },
  { type: 'suspended', saved: { bytes: 1, at: '2026-01-01T00:00:00.000Z' } },
  { type: 'suspended', saved: undefined },
  { type: 'not-suspended' },
  { type: 'not-suspended', inUse: true },
  { type: 'no-files' },
  { type: 'resumes' },
  { type: 'wanted', why: 'a client waits' },
  { type: 'vm-launched' },
  { type: 'stage', name: 'sshd' },
  { type: 'guest-ready' },
  { type: 'vm-paused', why: 'disk-full' },
  { type: 'vm-resumed' },
  { type: 'lost', failure: passing },
  { type: 'lost', failure: lasting },
  { type: 'evicted', failure: lasting },
  { type: 'children-gone' },
  { type: 'retry-due' },
];
/** Time that passes with each event: short keeps attempts, long is a stable life. */
const passes = [10, defaultPolicy.stableMs];

/** All states reachable from the start, without their times. */
const reachable = walk();
const hasChildren = ({ phase }: State) =>
  phase === 'suspending' || ['comes', 'there'].includes(traitsOf(phase).guest);
const after = (state: State, event: Event, now = state.since + 10) =>
  step(state, event, now, defaultPolicy);

describe('every reachable state', () => {
  test('they are few, and all phases are among them', () => {
    expect(new Set(reachable.map(({ phase }) => phase)).size).toBe(11);
    expect(reachable.length).toBeGreaterThan(20);
    expect(reachable.length).toBeLessThan(600);
  });

  const end = (state: State, event: Event) => {
    const now = after(state, event);
    return now.state.phase === 'stopping' ? after(now.state, { type: 'children-gone' }) : now;
  };
  const isLeaving = (state: State, because: string) =>
    state.phase === 'stopping' && state.because.type === because;

  test('a stop that is asked for ends in stopped and leaves', () => {
    for (const state of reachable.filter((each) => !isLeaving(each, 'evicted'))) {
      const { state: last, effects } = end(state, { type: 'stop' });
      expect(last.phase).toBe('stopped');
      expect(effects).toContainEqual({ type: 'leave' });
    }
  });

  test('who has no place to go on in ends in stopped and leaves, and says why', () => {
    const lost: Event = { type: 'evicted', failure: lasting };
    for (const state of reachable.filter((each) => !isLeaving(each, 'asked'))) {
      const { state: last, effects } = end(state, lost);
      expect(last.phase).toBe('stopped');
      if (state.phase !== 'stopped')
        expect(effects).toContainEqual({ type: 'leave', why: lasting });
    }
  });

  test('once a stop was asked for, nothing but the end of the children moves it', () => {
    for (const state of reachable) {
      const stopping = after(state, { type: 'stop' }).state;
      if (stopping.phase !== 'stopping') continue;
      for (const event of events.filter(({ type }) => type !== 'children-gone')) {
        expect(after(stopping, event).state).toEqual(stopping);
      }
    }
  });

  // Behaviour 95: A child that exits unexpectedly counts as a failure, whatever its exit code. The VM and the network
  // program are always stopped together and started together.
  test('children are ended exactly when a phase that has them is left for one that has none', () => {
    for (const [state, event, next] of steps()) {
      const ends = next.effects.some(({ type }) => type === 'end-children');
      expect(ends).toBe(hasChildren(state) && !hasChildren(next.state));
      if (ends) expect(next.state.phase).toBe('stopping');
      expect([state.phase, event.type, next.state.phase]).toBeDefined();
    }
  });

  test('a launch happens exactly when starting is entered', () => {
    for (const [state, , next] of steps()) {
      const launches = next.effects.filter(({ type }) => type === 'launch').length;
      // A start that waits for room on the disk is still the same one.
      const entered =
        next.state.phase === 'starting' && !['starting', 'paused'].includes(state.phase);
      expect(launches).toBe(entered ? 1 : 0);
    }
  });

  test('the door is released exactly when ready is entered', () => {
    for (const [state, , next] of steps()) {
      const entered = next.state.phase === 'ready' && state.phase !== 'ready';
      expect(next.effects.some(({ type }) => type === 'release-door')).toBe(entered);
    }
  });

  test('no second start begins while the children of the first are there', () => {
    for (const [state, , next] of steps())
      if (next.effects.some(({ type }) => type === 'launch'))
        expect(['stopped', 'stopping', 'away', 'backing-off', 'failed']).toContain(state.phase);
  });

  test('a retry waits between the first delay and the cap, and attempts are bounded', () => {
    for (const [, , next] of steps()) {
      for (const effect of next.effects)
        if (effect.type === 'retry-after' && next.state.phase === 'backing-off') {
          expect(effect.ms).toBeGreaterThanOrEqual(defaultPolicy.firstDelayMs);
          expect(effect.ms).toBeLessThanOrEqual(defaultPolicy.maxDelayMs);
        }
      // Those that clients bring after it has given up are few, and each is a single one.
      if ('attempt' in next.state)
        expect(next.state.attempt).toBeLessThanOrEqual(defaultPolicy.maxAttempts + 3);
    }
  });

  test('late news never throws and never moves a state without children', () => {
    for (const state of reachable.filter((s) => !hasChildren(s) && s.phase !== 'stopping'))
      for (const event of events.filter(({ type }) =>
        [
          'vm-launched',
          'stage',
          'guest-ready',
          'vm-paused',
          'vm-resumed',
          'lost',
          'children-gone',
        ].includes(type),
      ))
        expect(after(state, event)).toEqual({ state, effects: [] });
  });
});

describe('a guest that nobody needs', () => {
  test('goes from each phase that may have it, and is away when it is gone', () => {
    const others = reachable.filter(
      (state) => hasChildren(state) && !['suspending', 'resuming'].includes(state.phase),
    );
    for (const state of others) {
      const going = after(state, { type: 'rest', why: { type: 'asked' } });
      expect(going.effects).toEqual([{ type: 'end-children' }]);
      expect(after(going.state, { type: 'children-gone' })).toEqual({
        state: { phase: 'away', since: going.state.since + 10, why: { type: 'asked' } },
        effects: [{ type: 'await-clients' }],
      });
    }
  });

  test('comes back for who wants it, at once where it is away, and as soon as it is gone where it goes', () => {
    const resting = reachable.filter(isResting);
    expect(new Set(resting.map(({ phase }) => phase))).toEqual(
      new Set(['suspending', 'stopping', 'away']),
    );
    for (const state of resting.filter(({ phase }) => phase !== 'suspending')) {
      const wanted = after(state, { type: 'wanted', why: 'a client waits' });
      const started =
        state.phase === 'away' ? wanted : after(wanted.state, { type: 'children-gone' });
      expect(started.state).toMatchObject({ phase: 'starting', attempt: 1 });
      expect(started.effects).toEqual([{ type: 'launch', afresh: false }]);
    }
  });

  const saved = { bytes: 1, at: '2026-01-01T00:00:00.000Z' };
  const asked = { type: 'asked' } as const;
  const ready: State = { phase: 'ready', since: 0, attempt: 1 };
  const suspending = after(ready, { type: 'rest', why: asked, keeps: true });

  test('goes as a file where it is ready, and is stopped from everywhere else', () => {
    expect(suspending).toEqual({
      state: { phase: 'suspending', since: 10, attempt: 1, why: asked },
      effects: [{ type: 'suspend', why: asked }],
    });
    for (const [state, event, next] of steps())
      if (next.effects.some(({ type }) => type === 'suspend'))
        expect([state.phase, event.type]).toEqual(['ready', 'rest']);
  });

  test('is not ended, while it comes back from its file, by whoever only wants it to go', () => {
    const resuming = reachable.filter(({ phase }) => phase === 'resuming');
    expect(resuming).not.toEqual([]);
    for (const state of resuming)
      for (const event of events.filter(({ type }) => type === 'rest'))
        expect(after(state, event)).toEqual({ state, effects: [] });
  });

  // What `suspend`, `resume` and a client, `stop`, and `restart` each come to; the phase, and what is done at once.
  const rest = { type: 'rest', why: asked, keeps: true } as const;
  const wanted = { type: 'wanted', why: 'w' } as const;
  const restart = { type: 'restart', why: 'r' } as const;
  test.each([
    ['suspending', rest, 'suspending', []],
    ['suspending', wanted, 'suspending', ['cancel-suspend']],
    ['suspending', { type: 'stop' }, 'stopping', ['end-children']],
    ['suspending', restart, 'stopping', ['end-children']],
    ['away', rest, 'away', []],
    ['away', wanted, 'starting', ['launch']],
    ['away', { type: 'stop' }, 'stopped', ['leave']],
    ['away', restart, 'starting', ['launch']],
    ['resuming', rest, 'resuming', []],
    ['resuming', wanted, 'resuming', []],
    ['resuming', { type: 'stop' }, 'stopping', ['end-children']],
    ['resuming', restart, 'stopping', ['end-children']],
  ] as const)('that is %s, when %o is asked, is %s', (phase, event, next, does) => {
    const found: Readonly<Record<string, State>> = {
      suspending: suspending.state,
      away: { phase: 'away', since: 0, why: asked, saved },
      resuming: { phase: 'resuming', since: 0, attempt: 1 },
    };
    const { state, effects } = after(found[phase] ?? ready, event);
    expect([state.phase, effects.map(({ type }) => type)]).toEqual([next, does]);
  });

  test('is away as that file, or without one where there is none', () => {
    const end = (event: Event) => after(after(suspending.state, event).state, childrenGone).state;
    const childrenGone = { type: 'children-gone' } as const;
    expect(end({ type: 'suspended', saved })).toEqual({
      phase: 'away',
      since: 30,
      why: asked,
      saved,
    });
    for (const event of [
      { type: 'suspended', saved: undefined },
      { type: 'not-suspended' },
      { type: 'lost', failure: passing },
    ] as const)
      expect(end(event)).toMatchObject({ phase: 'away', since: 30, why: asked });
  });

  test('is away as that file whatever is asked while it goes', () => {
    const gone = { type: 'suspended', saved } as const;
    const wanted = { type: 'wanted', why: 'w' } as const;
    const rest = { type: 'rest', why: { type: 'unused', forMs: 1 } } as const;
    const restart = { type: 'restart', why: 'r' } as const;
    for (const asked of [
      [gone, rest],
      [gone, wanted, rest],
      [gone, restart, rest],
      [wanted, gone, rest],
    ] as const) {
      const end = [...asked, { type: 'children-gone' } as const].reduce<State>(
        (state, event) => after(state, event).state,
        suspending.state,
      );
      expect(end).toMatchObject({ phase: 'away', saved });
    }
  });

  test('is away, where it is stopped, with the reason why it was not suspended', () => {
    const instead = 'its name servers have changed';
    const unused = { type: 'rest', why: { type: 'unused', forMs: 1 } } as const;
    const live = (...list: readonly Event[]) =>
      list.reduce<State>((state, event) => after(state, event).state, ready);
    for (const goes of [
      [{ ...unused, instead }],
      [
        { ...unused, instead },
        { ...unused, instead: 'it was not ready' },
      ],
      [
        { ...unused, keeps: true },
        { type: 'not-suspended', instead },
      ],
      [
        { ...unused, keeps: true },
        { type: 'suspended', saved: undefined, instead },
      ],
    ] as const)
      expect(live(...goes, { type: 'children-gone' })).toMatchObject({ phase: 'away', instead });
    const broken = live({ ...unused, keeps: true }, { type: 'lost', failure: passing });
    expect(after(broken, { type: 'children-gone' }).state).toMatchObject({
      instead: passing.message,
    });
    const saving = live({ ...unused, keeps: true }, { type: 'suspended', saved, instead });
    expect(after(saving, { type: 'children-gone' }).state).not.toHaveProperty('instead');
  });

  test('who wants it while it is saved has it run on, or resumed at once', () => {
    const wanted = after(suspending.state, { type: 'wanted', why: 'w' });
    expect(wanted.effects).toEqual([{ type: 'cancel-suspend' }]);
    expect(after(wanted.state, { type: 'not-suspended' })).toEqual({
      state: { phase: 'ready', since: 20, attempt: 1 },
      effects: [{ type: 'release-door' }],
    });
    const tooLate = after(wanted.state, { type: 'suspended', saved });
    expect(after(tooLate.state, { type: 'children-gone' }).effects).toEqual([
      { type: 'launch', afresh: false },
    ]);
  });

  // Behaviour 116: If clients are still in the guest when `suspend` stops waiting for them, it says how many builds
  // and connections there are. It then sends the guest away only if you agree at the terminal or use `--force`.
  test('stays with whoever is in it when it was to go by itself, and goes where somebody forces it to', () => {
    const notSuspended = { type: 'not-suspended', inUse: true } as const;
    const idle = after(ready, { type: 'rest', why: { type: 'unused', forMs: 1 }, keeps: true });
    expect(after(idle.state, notSuspended).effects).toEqual([{ type: 'release-door' }]);
    expect(after(idle.state, { type: 'not-suspended' }).effects).toEqual([
      { type: 'end-children' },
    ]);
    // By hand too, unless that is forced.
    expect(after(suspending.state, notSuspended).state.phase).toBe('ready');
    const forced = after(
      { phase: 'ready', since: 0, attempt: 1 },
      { type: 'rest', why: { type: 'asked', isForced: true }, keeps: true },
    );
    expect(after(forced.state, notSuspended).effects).toEqual([{ type: 'end-children' }]);
  });

  test('whose disk fails while it is saved stays, and goes on when its disk does', () => {
    const halted = after(suspending.state, { type: 'vm-paused', why: 'io-error' });
    expect(halted.state).toMatchObject({ phase: 'paused', why: 'io-error' });
    expect(halted.effects).toEqual([{ type: 'cancel-suspend' }, { type: 'hold-door' }]);
    const back = after(after(halted.state, { type: 'not-suspended' }).state, {
      type: 'vm-resumed',
    });
    expect(back.state.phase).toBe('ready');
  });

  test('whose disk fails while it is resumed goes on when its disk does, and boots where it does not', () => {
    const live = (...list: readonly Event[]) =>
      list.reduce<State>((state, event) => after(state, event).state, {
        phase: 'resuming',
        since: 0,
        attempt: 1,
      });
    const full = { type: 'vm-paused', why: 'disk-full' } as const;
    expect(live(full)).toMatchObject({ phase: 'paused', why: 'disk-full' });
    expect(live(full, { type: 'vm-launched' }, { type: 'vm-resumed' }).phase).toBe('resuming');
    const [ready, resumed] = [{ type: 'guest-ready' }, { type: 'vm-resumed' }] as const;
    expect(live(full, ready).phase).toBe('paused');
    expect(live(full, ready, resumed).phase).toBe('ready');
    expect(live(full, resumed, ready).phase).toBe('ready');
    const lost = live(full, { type: 'lost', failure: lasting });
    expect(after(lost, { type: 'children-gone' }).effects).toEqual([
      { type: 'launch', afresh: true },
    ]);
  });

  test('leaves no file where the settings want none any more', () => {
    const away: State = { phase: 'away', since: 0, why: asked, saved };
    const { state, effects } = after(away, { type: 'no-files' });
    expect(state).toEqual({ phase: 'away', since: 0, why: asked });
    expect(effects).toEqual([{ type: 'discard-saved' }]);
    // A start that failed may have left one, and a guest that comes or goes takes or replaces it.
    const none = new Set<State['phase']>(['away', 'backing-off', 'failed']);
    for (const other of [state, ...reachable.filter(({ phase }) => phase !== 'away')])
      expect(after(other, { type: 'no-files' })).toEqual({
        state: other,
        effects: none.has(other.phase) ? [{ type: 'discard-saved' }] : [],
      });
  });

  test('is resumed by whoever wants it, and boots afresh for a restart, or where it does not go on', () => {
    const away: State = { phase: 'away', since: 0, why: asked, saved };
    const launches = (...list: readonly Event[]) => {
      const before = list
        .slice(0, -1)
        .reduce<State>((state, event) => after(state, event).state, away);
      return after(before, list.at(-1) ?? { type: 'stop' }).effects;
    };
    expect(launches({ type: 'wanted', why: 'w' })).toEqual([{ type: 'launch', afresh: false }]);
    expect(launches({ type: 'restart', why: 'asked' })).toEqual([{ type: 'launch', afresh: true }]);
    const coming = [{ type: 'wanted', why: 'w' }, { type: 'resumes' }] as const;
    expect(
      launches(...coming, { type: 'lost', failure: lasting }, { type: 'children-gone' }),
    ).toEqual([{ type: 'launch', afresh: true }]);
    expect(launches(...coming, { type: 'guest-ready' })).toEqual([{ type: 'release-door' }]);
    const going = after(suspending.state, { type: 'suspended', saved }).state;
    const back = after(going, { type: 'wanted', why: 'w' }).state;
    const changed = after(back, { type: 'restart', why: 'asked' }).state;
    expect(after(changed, { type: 'children-gone' }).effects).toEqual([
      { type: 'launch', afresh: true },
    ]);
  });

  test('is wanted in vain, and in no way changed by it, in every other state', () => {
    for (const state of reachable.filter((each) => !heedsClients(each)))
      for (const ms of passes)
        expect(
          step(state, { type: 'wanted', why: 'w' }, state.since + ms, defaultPolicy),
        ).toMatchObject({ state: { phase: state.phase }, effects: [] });
  });

  test('listens and holds exactly when it is away, or has given up some time ago', () => {
    for (const [state, , next] of steps()) {
      const entered =
        (next.state.phase === 'away' && state.phase !== 'away') ||
        (heedsClients(next.state) && next.state.phase === 'failed' && next.state !== state);
      expect(next.effects.some(({ type }) => type === 'await-clients')).toBe(entered);
    }
  });

  test('takes no failure with it: the next start is a first attempt', () => {
    const failed: State = {
      phase: 'backing-off',
      since: 0,
      attempt: 3,
      until: 9,
      because: passing,
    };
    const away = after(failed, { type: 'rest', why: { type: 'asked' } }).state;
    expect(after(away, { type: 'wanted', why: 'w' }).state).toEqual({
      phase: 'starting',
      attempt: 1,
      since: away.since + 10,
    });
    const saved = { bytes: 1, at: '2026-01-01T00:00:00.000Z' };
    const suspended = after(failed, { type: 'rest', why: { type: 'asked' }, saved }).state;
    expect(suspended).toMatchObject({ phase: 'away', saved });
  });
});

describe('a life', () => {
  const live = (...list: readonly Event[]) =>
    list.reduce<State>((state, event) => after(state, event).state, initial(0));

  test('reaches ready', () => {
    expect(live({ type: 'start' }, { type: 'vm-launched' }, { type: 'guest-ready' }).phase).toBe(
      'ready',
    );
  });

  // Behaviour 97: A daemon that has given up tries again when a build arrives at least a minute later, and that build
  // waits for the guest. After each further failure, this minimum is four times as long, up to an hour.
  test('that has given up tries again for a client that comes later, and then seldom', () => {
    const lasting = { ...passing, recovery: 'give-up' } as const;
    const waits: number[] = [];
    let failed = live({ type: 'start' }, { type: 'lost', failure: lasting });
    for (let n = 0; n < 6; n++) {
      const step = after(failed, { type: 'children-gone' });
      expect(step.state).toMatchObject({ phase: 'failed', because: lasting });
      expect(step.effects.map(({ type }) => type)).toEqual(['refuse-door', 'retry-after']);
      waits.push(...step.effects.flatMap((e) => (e.type === 'retry-after' ? [e.ms] : [])));
      // A client that was on its way as the door began to refuse.
      const early = after(step.state, { type: 'wanted', why: 'w' });
      expect(early.state).toEqual(step.state);
      const open = after(step.state, { type: 'retry-due' });
      expect(open.effects).toEqual([{ type: 'await-clients' }]);
      expect(open.state).toMatchObject({ phase: 'failed', because: lasting });
      // By itself it begins nothing.
      expect(after(open.state, { type: 'retry-due' }).state.phase).toBe('failed');
      const again = after(open.state, { type: 'wanted', why: 'w' });
      expect(again.state).toMatchObject({ phase: 'starting', last: lasting });
      failed = after(again.state, { type: 'lost', failure: lasting }).state;
    }
    const minutes = waits.map((ms) => ms / 60_000);
    expect(minutes).toEqual([1, 4, 16, 60, 60, 60]);
  });

  test('that gave up after attempts in a row has one more for each such client', () => {
    let state: State = { phase: 'failed', since: 0, attempt: 5, because: passing };
    for (let n = 0; n < 10; n++) {
      const again = after(state, { type: 'wanted', why: 'w' }).state;
      const lost = after(again, { type: 'lost', failure: passing }).state;
      const next = after(lost, { type: 'children-gone' });
      expect(next.state).toMatchObject({
        phase: 'failed',
        because: { message: expect.stringMatching(/ 5 .*It ended\.$/) as string },
      });
      state = after(next.state, { type: 'retry-due' }).state;
    }
  });

  // Behaviour 41: An accelerator that fails after its trial is not used again until the host reboots. The same start
  // continues with the next accelerator, unless the setting `accelerator` names the one that failed: then the guest
  // stays off.
  test('goes on in another way at once, and as a first attempt', () => {
    const failure = { ...passing, kind: 'accelerator-rejected', recovery: 'other-way' } as const;
    const lost = [{ type: 'lost', failure }, { type: 'children-gone' }] as const;
    const started = live({ type: 'start' }, { type: 'vm-launched' }, ...lost);
    expect(started).toMatchObject({ phase: 'starting', attempt: 1, last: failure });
    // Also of one that was ready for hours.
    const late = after({ phase: 'ready', since: 0, attempt: 3 }, lost[0], defaultPolicy.stableMs);
    const next = after(late.state, lost[1], defaultPolicy.stableMs);
    expect(next.state).toMatchObject({ phase: 'starting', attempt: 1 });
    expect(next.effects).toEqual([{ type: 'launch', afresh: false }]);
  });

  // Behaviour 57: A replacement program, accelerator or network gets five starts of its own before the daemon gives
  // up.
  test('counts its own starts in another way', () => {
    const failure = { ...passing, kind: 'vm-rejected', recovery: 'other-way' } as const;
    const lost = [{ type: 'lost', failure }, { type: 'children-gone' }] as const;
    const third = after({ phase: 'starting', since: 0, attempt: 3 }, lost[0], 10);
    expect(after(third.state, lost[1], 10).state).toMatchObject({ phase: 'starting', attempt: 1 });
  });

  // Behaviour 96: If the guest did not stay ready for a minute, the daemon waits 0.25 s before the next start, and
  // twice as long each further time. After 5 starts in a row without a minute of `ready`, it gives up, stays in the
  // phase `failed`, and says why.
  test('gives up after repeated fast failures, with the last reason', () => {
    let state = live({ type: 'start' });
    let delays: number[] = [];
    for (let n = 0; n < 20 && state.phase !== 'failed'; n++) {
      state = after(state, { type: 'lost', failure: passing }).state;
      const gone = after(state, { type: 'children-gone' });
      delays = [
        ...delays,
        ...gone.effects.flatMap((e: Effect) => (e.type === 'retry-after' ? [e.ms] : [])),
      ];
      state =
        gone.state.phase === 'failed' ? gone.state : after(gone.state, { type: 'retry-due' }).state;
    }
    // The last one: until a client brings another try.
    expect(delays).toEqual([250, 500, 1000, 2000, 60_000]);
    expect(state).toMatchObject({
      phase: 'failed',
      because: { kind: 'vm-exited' },
    });
  });

  // Behaviour 98: If another process holds the door's port, or holds the disk for more than 20 s, a start is tried
  // again after 2 s, 4 s, 8 s and 16 s. Then the daemon gives up.
  test('what another process holds is waited for longer', () => {
    const taken: Failure = { ...passing, kind: 'door-port-taken', recovery: 'wait' };
    const waits = [1, 2, 3, 4].map((attempt) => {
      const next = afterLoss(taken, attempt, defaultPolicy);
      return next.type === 'retry' ? next.ms : NaN;
    });
    expect(waits).toEqual([2_000, 4_000, 8_000, 16_000]);
    expect(afterLoss(taken, 5, defaultPolicy).type).toBe('give-up');
    // A stable life before it makes no difference to them.
    expect(afterLoss(taken, 0, defaultPolicy)).toEqual({ type: 'retry', ms: 2_000 });
    expect(afterLoss(passing, 0, defaultPolicy)).toEqual({ type: 'retry', ms: 0 });
  });

  test('a stable life forgives earlier failures', () => {
    const ready: State = { phase: 'ready', since: 0, attempt: 5 };
    const lost = step(
      ready,
      { type: 'lost', failure: passing },
      defaultPolicy.stableMs,
      defaultPolicy,
    ).state;
    expect(after(lost, { type: 'children-gone' }).state).toMatchObject({
      phase: 'starting',
      attempt: 1,
    });
    const early = step(
      ready,
      { type: 'lost', failure: passing },
      defaultPolicy.stableMs - 1,
      defaultPolicy,
    ).state;
    expect(after(early, { type: 'children-gone' }).state.phase).toBe('failed');
  });

  // Behaviour 99: After a failure that another attempt cannot fix, the daemon gives up at once. If `config.json` then
  // changes, the daemon reads it and starts the guest at once.
  test('what no retry can mend is not tried again', () => {
    const lost = live(
      { type: 'start' },
      { type: 'lost', failure: lasting },
      { type: 'children-gone' },
    );
    expect(lost).toMatchObject({ phase: 'failed', because: lasting });
  });

  test('a pause goes back to what was, and never restarts by itself', () => {
    const full: Event = { type: 'vm-paused', why: 'disk-full' };
    const ready = live({ type: 'start' }, { type: 'vm-launched' }, { type: 'guest-ready' });
    const paused = after(ready, full);
    expect(paused).toMatchObject({
      state: { phase: 'paused', why: 'disk-full' },
      effects: [{ type: 'hold-door' }],
    });
    expect(after(paused.state, { type: 'vm-resumed' })).toMatchObject({
      state: ready,
      effects: [{ type: 'release-door' }],
    });
    const booting = live(
      { type: 'start' },
      { type: 'vm-launched' },
      { type: 'stage', name: 'disk' },
      full,
    );
    expect(after(booting, { type: 'vm-resumed' })).toMatchObject({
      state: { phase: 'booting', stage: 'disk' },
      effects: [],
    });
  });

  test('the door is held in a pause and refused in a failure', () => {
    for (const [state, , next] of steps()) {
      const into = (phase: string) => next.state.phase === phase && state.phase !== phase;
      expect(next.effects.some(({ type }) => type === 'hold-door')).toBe(into('paused'));
      expect(next.effects.some(({ type }) => type === 'refuse-door')).toBe(into('failed'));
    }
  });

  test('who asks for a restart while a failed start is being ended gets one', () => {
    const state = live(
      { type: 'start' },
      { type: 'lost', failure: lasting },
      { type: 'restart', why: 'somebody asked' },
      { type: 'children-gone' },
    );
    expect(state).toMatchObject({ phase: 'starting', attempt: 1 });
  });

  test('the first reason wins', () => {
    const state = live(
      { type: 'start' },
      { type: 'lost', failure: lasting },
      { type: 'lost', failure: passing },
    );
    expect(state).toMatchObject({ phase: 'stopping', because: { type: 'lost', failure: lasting } });
  });
});

function* steps(): Generator<readonly [State, Event, ReturnType<typeof step>]> {
  for (const state of reachable)
    for (const event of events)
      for (const ms of passes)
        yield [state, event, step(state, event, state.since + ms, defaultPolicy)];
}

function walk(): State[] {
  const seen = new Map<string, State>();
  const queue: State[] = [initial(0)];
  for (let state = queue.pop(); state !== undefined; state = queue.pop()) {
    const timeless = {
      ...state,
      since: 0,
      ...(state.phase === 'backing-off' ? { until: 0 } : {}),
    } as State;
    const key = JSON.stringify(timeless);
    if (seen.has(key)) continue;
    seen.set(key, timeless);
    for (const event of events)
      for (const ms of passes) queue.push(step(timeless, event, ms, defaultPolicy).state);
  }
  return [...seen.values()];
}
