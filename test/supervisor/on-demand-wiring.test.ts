/** What the guest's going hangs on: each thing that keeps it, or has it go, reaches the part that heeds it. */
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Idle } from '../../src/config/idle.ts';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import { vmPrograms } from '../../src/domain/vm-programs.ts';
import type { GuestAgent, GuestExec } from '../../src/guest/agent/agent.ts';
import type { DoorControl } from '../../src/supervisor/daemon/door-control.ts';
import { OnDemand } from '../../src/supervisor/idle/on-demand.ts';
import type { Event, State } from '../../src/supervisor/lifecycle/state.ts';
import { nobody } from '../fakes/commands.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { readyIn } from '../model/ready.ts';
import { World } from '../model/world.ts';
import { removeTree } from '../remove-tree.ts';

/** What this machine is short of. */
const host = vi.hoisted(() => {
  // What another file's tests have loaded asks the real machine.
  vi.resetModules();
  return { battery: false, memory: false };
});
vi.mock('../../src/system/host/power.ts', async (original) => ({
  ...(await original<typeof import('../../src/system/host/power.ts')>()),
  isOnBattery: () => Promise.resolve(host.battery),
}));
vi.mock('../../src/system/host/host-memory.ts', async (original) => ({
  ...(await original<typeof import('../../src/system/host/host-memory.ts')>()),
  isShortOfMemory: () => Promise.resolve(host.memory),
}));

let layout: Layout;
beforeEach(() => {
  layout = layoutOf(mkdtempSync(join(tmpdir(), 'on-demand-')));
  mkdirSync(layout.state);
});
afterEach(() => {
  Object.assign(host, { battery: false, memory: false });
  removeTree(layout.root);
});

const minute = 60_000;
const idle: Idle = { after: '1 min', how: 'stop', onBattery: 'same', onLowMemory: 'same' };
const ready = { phase: 'ready', since: 0, attempt: 1 } as const;
const away = { phase: 'away', since: 0, why: { type: 'asked' } } as const;

/** A guest that is ready and goes after a minute, of whose collections the test says when they end; what it was asked, and what was decided. */
function rig(settings: Partial<Idle> = {}) {
  const clock = new FakeClock();
  const events: Event[] = [];
  const asked: string[] = [];
  const at = { traffic: undefined as number | undefined, builds: 0 };
  let end: (ended: GuestExec) => void = () => undefined;
  const answer = (code: number) => ({
    code,
    stdout: '/dev/vda 4000000 1 40000 99% /nix\n',
    stderr: '',
  });
  const exec: GuestAgent['exec'] = (_, [, script = '', name]) => {
    asked.push(
      name ?? (script.includes('kill') ? 'stop' : script.includes('caches') ? 'tidy' : 'trim'),
    );
    return name === 'collect'
      ? new Promise((resolve) => (end = resolve))
      : Promise.resolve(answer(0));
  };
  const lookInside = () => {
    asked.push('look');
    return Promise.resolve({ builds: at.builds });
  };
  const nothing = () => undefined;
  const doorControl = {
    hasWaiting: false,
    counts: () => nobody,
    drain: nothing,
    withhold: nothing,
    hold: nothing,
  };
  Object.defineProperty(doorControl, 'traffic', { get: () => at.traffic });
  const scope = {
    guest: { has: () => true, agent: { exec }, lookInside, vmPause: { expect: nothing } },
    running: {
      tried: { driver: { row: vmPrograms.qemu } },
      vm: { child: { pid: process.pid }, machine: { memory: {} } },
      guest: { keeping: { basis: 'b' } },
    },
    signal: new AbortController().signal,
  };
  const onDemand = new OnDemand({
    clock,
    layout,
    isOurs: () => true,
    log: nothing,
    onDoor: nothing,
    doorControl: () => doorControl as unknown as DoorControl,
    state: () => ready,
    config: () => ({ idle: { ...idle, ...settings } }) as never,
    scope: () => scope as never,
    dispatch: (event) => events.push(event),
  });
  onDemand.noteStep({ ...ready, phase: 'booting' } as State, { type: 'guest-ready' });
  /** Time goes by, with a look every 5 s. */
  const pass = async (ms: number) => {
    for (let left = ms; left > 0; left -= 5_000) {
      await clock.advance(5_000);
      onDemand.tick();
      await clock.advance(0);
    }
  };
  /** The collection comes to its end. */
  const finish = async (code = 0) => {
    end(answer(code));
    await clock.advance(0);
  };
  return { clock, at, asked, events, onDemand, pass, finish };
}

describe('a guest that is wanted again and again', () => {
  // Behaviour 114: If a guest is needed again more than 12 times within an hour, the time for which it must be unused
  // before it is sent away doubles each time, up to an hour.
  test.each([
    ['stays twice as long', {}, 2 * minute],
    ['stays no longer for its trials', { isTrial: true }, minute],
  ] as const)('%s', async (_, more, ms) => {
    const { onDemand, events, pass } = rig();
    for (let n = 0; n < 13; n++) onDemand.noteStep(away, { type: 'wanted', why: 'w', ...more });
    await pass(ms - 5_000);
    expect(events).toEqual([]);
    await pass(5_000);
    expect(events).toMatchObject([{ type: 'rest', why: { type: 'unused', forMs: ms } }]);
  });

  test('stays no longer for whoever wants it while it is there', async () => {
    const { onDemand, events, pass } = rig();
    for (let n = 0; n < 13; n++) onDemand.noteStep(ready, { type: 'wanted', why: 'w' });
    await pass(minute);
    expect(events).toHaveLength(1);
  });
});

// Behaviour 119: With `idle.onBattery` set to `now`, an unused guest is sent away within a minute while the host
// runs on battery. With `idle.onLowMemory` set to `now`, the same happens while the host is short of memory.
test.each([
  ['battery', { onBattery: 'now' }, { onLowMemory: 'now' }],
  ['memory', { onLowMemory: 'now' }, { onBattery: 'now' }],
] as const)('goes sooner for the %s, where the settings say so', async (short, heeds, other) => {
  const heeding = rig({ after: '10 min', ...heeds });
  const careless = rig({ after: '10 min', ...other });
  await heeding.pass(minute);
  expect(heeding.events).toEqual([]);
  host[short] = true;
  await heeding.pass(minute);
  await careless.pass(minute);
  expect(heeding.events[0]).toMatchObject({ type: 'rest', why: { type: short } });
  expect(careless.events).toEqual([]);
});

// Behaviour 130: A `gc` or `trim` that somebody requests counts as use of the guest. Until it ends, the guest is
// sent away only if that is forced.
test('stays for a collection that somebody has asked for, and its whole time after it', async () => {
  const { onDemand, asked, events, pass, finish } = rig();
  const collected = onDemand.housekeeping.collect();
  await pass(10 * minute);
  expect([asked, events]).toEqual([['collect'], []]);
  await finish();
  expect(await collected).toMatchObject({ isDone: true });
  await pass(minute - 5_000);
  expect(events).toEqual([]);
  await pass(5_000);
  expect(events).toHaveLength(1);
});

// Behaviour 127: A garbage collection that the daemon or `gc` has started never deletes what a build has just
// received. No client is let in while it is running; an arriving client ends it, at once or, if somebody ran `gc`,
// within half a minute.
describe('a client that comes', () => {
  test('ends a collection that the daemon has begun, at once', async () => {
    const { at, onDemand, asked, clock, pass, finish } = rig();
    at.traffic = 0;
    await pass(35_000);
    expect(asked).toEqual(['tidy', 'collect']);
    onDemand.onWaiting();
    await clock.advance(0);
    expect(asked).toEqual(['tidy', 'collect', 'stop']);
    await finish(143);
  });

  test('ends a collection that somebody has asked for, half a minute later', async () => {
    const { onDemand, asked, clock, finish } = rig();
    const collected = onDemand.housekeeping.collect();
    onDemand.onWaiting();
    await clock.advance(29_999);
    expect(asked).toEqual(['collect']);
    await clock.advance(1);
    expect(asked).toEqual(['collect', 'stop']);
    await finish(143);
    expect(await collected).toMatchObject({ isDone: false });
  });
});

test('a guest is not suspended before the collection in it has ended, which is told to', async () => {
  const { at, onDemand, asked, events, clock, finish } = rig();
  const collected = onDemand.housekeeping.collect();
  at.builds = 1;
  onDemand.suspending.perform({ type: 'suspend', why: { type: 'asked', isForced: true } });
  await clock.advance(0);
  expect([asked, events]).toEqual([['collect', 'stop'], []]);
  await finish(143);
  await collected;
  expect(asked).toEqual(['collect', 'stop', 'look']);
  expect(events).toMatchObject([{ type: 'not-suspended', inUse: true }]);
});

/** The whole supervisor, with a guest that goes after a minute. */
const supervised = (world: World) => readyIn(world, { config: { ...world.config, idle } });

// Behaviour 110: A guest is sent away only after it has been unused for `idle.after`: nobody was logged in through
// the door or about to log in, and the guest itself says that it is not building anything. `suspend`,
// `idle.onBattery` and `idle.onLowMemory` can send it away sooner.
test('stays for a build that no client tells of', async () => {
  await using world = await World.make();
  const { supervisor, phases, pass, until: reaches } = await supervised(world);
  world.builds = 1;
  await pass(3 * minute);
  expect(phases.at(-1)).toBe('ready');
  world.builds = 0;
  await pass(minute);
  await reaches('away');
  supervisor.dispatch({ type: 'stop' });
  await reaches('stopped');
});

test('is not held against what the host slept', async () => {
  await using world = await World.make();
  const { supervisor, phases, pass, until: reaches } = await supervised(world);
  await pass(minute - 10_000);
  await world.clock.jump(60 * minute);
  supervisor.woke(60 * minute);
  await pass(5_000);
  expect(phases.at(-1)).toBe('ready');
  await pass(10_000);
  await reaches('away');
  supervisor.dispatch({ type: 'stop' });
  await reaches('stopped');
});
