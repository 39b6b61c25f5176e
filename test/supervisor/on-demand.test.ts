/** The whole supervisor, whose guest goes when nobody needs it and comes back for whoever does. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { vmPrograms } from '../../src/domain/vm-programs.ts';
import type { DoorControl } from '../../src/supervisor/daemon/door-control.ts';
import { DoorHold } from '../../src/supervisor/daemon/door-hold.ts';
import { OnDemand } from '../../src/supervisor/idle/on-demand.ts';
import { commitSaved } from '../../src/supervisor/idle/saved-guest.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { freePort } from '../rig/free-port.ts';
import { nobody } from '../fakes/commands.ts';
import { Client, until } from '../door/rig.ts';
import { readyIn } from '../model/ready.ts';
import { World } from '../model/world.ts';
import { startReasons } from '../../src/supervisor/lifecycle/own-reasons.ts';
import type { Event, State } from '../../src/supervisor/lifecycle/state.ts';
import { plainly } from '../../src/system/advice.ts';

const idle = { after: '1 min', how: 'stop', onBattery: 'same', onLowMemory: 'same' } as const;

/** A supervisor with a guest that goes after a minute, and its door on a port that stays. */
async function rig(
  world: World,
  first?: Event,
  stages?: readonly string[],
  how: 'auto' | 'stop' = 'stop',
) {
  const port = await freePort();
  const config = { ...world.config, port, idle: { ...idle, how } };
  const ready = await readyIn(world, {
    config,
    ...(first && { first }),
    ...(stages && { stages }),
  });
  /** Turns of the real event loop, until it is so. */
  const seen = (isSo: () => boolean) => until(() => (void world.clock.advance(0), isSo()));
  return { ...ready, port, seen, doorControl: ready.supervisor.doorControl };
}

// Behaviour 111: A guest that is away has no process, but its door still listens. An ssh client waits and brings the
// guest back; a connection that does not speak ssh, such as a port scan, does not.
test('goes when nobody uses it, and comes back for a client of ssh and for nobody else', async () => {
  await using world = await World.make();
  const {
    supervisor,
    phases,
    until: reaches,
    pass,
    getReady,
    port,
    seen,
    doorControl,
  } = await rig(world);
  await pass(50_000);
  expect(phases.at(-1)).toBe('ready');
  await pass(15_000);
  await reaches('away');
  expect(world.vms()).toEqual([]);
  expect(world.isVmLocked).toBe(false);
  expect(supervisor.status()).toMatchObject({
    phase: 'away',
    sentence: expect.stringContaining(' 1 min') as string,
    away: { guest: 'stopped', why: 'unused' },
    door: { port },
  });
  const scan = new Client(port, '');
  const web = new Client(port, 'GET / HTTP/1.1\r\n');
  await seen(() => doorControl.counts().held === 2);
  await pass(20_000);
  expect([phases.at(-1), world.starts]).toEqual(['away', 1]);

  const client = new Client(port);
  await seen(() => doorControl.counts().held === 3);
  await reaches('booting');
  expect(supervisor.status()).toMatchObject({ attempt: 1 });
  await getReady();
  expect(world.starts).toBe(2);
  for (const { socket } of [scan, web, client]) socket.destroy();
  supervisor.dispatch({ type: 'stop' });
  await reaches('stopped');
  expect(phases).toEqual([
    'starting',
    'booting',
    'ready',
    'stopping',
    'away',
    'starting',
    'booting',
    'ready',
    'stopping',
    'stopped',
  ]);
});

// Behaviour 113: If a client arrives while an unused guest is being stopped, the client waits, and the guest is
// started again as soon as it has stopped.
test('comes back at once for a client that comes while it goes', async () => {
  await using world = await World.make();
  const {
    supervisor,
    phases,
    until: reaches,
    getReady,
    port,
    seen,
    doorControl,
  } = await rig(world);
  expect(await supervisor.suspend()).toEqual({ goes: true });
  expect(phases.at(-1)).toBe('stopping');
  const client = new Client(port);
  await seen(() => doorControl.counts().held === 1);
  await seen(() => plainly(supervisor.status().sentence).includes(startReasons.client));
  await getReady();
  expect(phases).toEqual([
    'starting',
    'booting',
    'ready',
    'stopping',
    'starting',
    'booting',
    'ready',
  ]);
  client.socket.destroy();
  supervisor.dispatch({ type: 'stop' });
  await reaches('stopped');
});

// Behaviour 115: `suspend` sends the guest away, unless a client is waiting for the guest, and `resume` brings it
// back. If the guest is away, `stop` shuts the daemon down at once.
test('goes and comes when it is told to, and not while a client waits', async () => {
  await using world = await World.make();
  const {
    supervisor,
    phases,
    until: reaches,
    getReady,
    port,
    seen,
    doorControl,
  } = await rig(world);
  supervisor.drain(true);
  const client = new Client(port);
  await seen(() => doorControl.hasWaiting);
  expect(await supervisor.suspend()).toEqual({ goes: false });
  expect(phases.at(-1)).toBe('ready');
  // Whoever drained it may be another than who asked for that.
  expect(doorControl.isDraining).toBe(true);
  supervisor.drain(false);
  client.socket.destroy();
  await seen(() => doorControl.counts().held + doorControl.counts().opening === 0);

  expect(await supervisor.suspend()).toEqual({ goes: true });
  await reaches('away');
  expect(supervisor.status().away).toMatchObject({ why: 'asked' });
  expect(supervisor.onDemand.resume()).toBe(true);
  expect(supervisor.onDemand.resume()).toBe(false);
  await getReady();
  expect(await supervisor.suspend()).toEqual({ goes: true });
  await reaches('away');
  supervisor.dispatch({ type: 'stop' });
  expect(supervisor.status().phase).toBe('stopped');
  expect(await supervisor.left).toBeUndefined();
});

// Behaviour 117: Right after a boot, `suspend` waits up to 15 s for the guest to say whether builds are running. If
// the guest does not say, it keeps running and `suspend` fails, unless `--force` is used.
test.each([true, false])(
  'keeps a guest whose agent has not started (could suspend it: %s)',
  async (keeps) => {
    await using world = await World.make();
    const {
      supervisor,
      phases,
      until: reaches,
    } = await rig(world, { type: 'start' }, ['init', 'nix', 'sshd']);
    Object.defineProperty(supervisor.onDemand.suspending, 'keeps', { value: keeps });
    expect(await supervisor.suspend()).toEqual({ goes: false, isSilent: true });
    expect(phases.at(-1)).toBe('ready');
    expect(await supervisor.suspend(true)).toEqual({ goes: true });
    // There is nothing to suspend it into here.
    await reaches('away');
    supervisor.dispatch({ type: 'stop' });
    await reaches('stopped');
  },
);

/** An `OnDemand` in one phase of a start, of which so much is there; what it was told to do. */
function comingBack(
  world: World,
  phase: 'starting' | 'resuming' | 'booting' | 'backing-off',
  running: object | undefined,
) {
  const events: Event[] = [];
  const doorControl = { hasWaiting: false, counts: () => nobody };
  const onDemand = new OnDemand({
    clock: new FakeClock(),
    isOurs: () => true,
    log: () => undefined,
    onDoor: () => undefined,
    doorControl: () => doorControl as unknown as DoorControl,
    state: () => ({ phase, since: 0, attempt: 1, stage: undefined }) as State,
    config: () => world.config,
    layout: world.layout,
    scope: () =>
      running &&
      ({ running: { tried: { driver: { row: vmPrograms.qemu } }, ...running } } as never),
    dispatch: (event) => events.push(event),
  });
  // As of a VM whose control channel answers.
  Object.defineProperty(onDemand.suspending, 'keeps', { value: true });
  return { onDemand, events };
}

test.each([
  ['is resumed', 'resuming', {}],
  ['was taken from its file to be resumed', 'starting', { saved: {} }],
] as const)('keeps a guest that %s, whoever sends it away', async (_what, phase, running) => {
  await using world = await World.make();
  const { onDemand, events } = comingBack(world, phase, running);
  for (const isForced of [false, true])
    expect(await onDemand.suspend(isForced)).toEqual({ goes: false, isComing: true });
  expect(events).toEqual([]);
});

test.each(['starting', 'booting'] as const)(
  'stops a guest that is %s at once: nobody is in it yet',
  async (phase) => {
    await using world = await World.make();
    const { onDemand, events } = comingBack(world, phase, {});
    expect(await onDemand.suspend(false)).toEqual({ goes: true });
    expect(events).toMatchObject([{ type: 'rest' }]);
  },
);

test('sends away what a start that has ended left in its file', async () => {
  await using world = await World.make();
  const { layout } = world;
  const at = '2026-01-01T00:00:00.000Z';
  const identity = { program: 'p', machine: 'm', guest: 'g', host: 'h' };
  writeFileSync(layout.disk, 'the disk');
  writeFileSync(layout.unfinishedMemory, 'its memory');
  const { bytes } = commitSaved(layout, { identity, at, bootedAt: at, resumes: 0 });
  const { onDemand, events } = comingBack(world, 'backing-off', undefined);
  expect(await onDemand.suspend(false)).toEqual({ goes: true });
  expect(events).toMatchObject([{ type: 'rest', saved: { bytes, at } }]);
});

test.each([
  [true, { wanted: 0, 'guest-saved': 0 }],
  [false, { wanted: 1, 'guest-saved': 1 }],
])('a trial (%s) is no wake and no suspend of anybody', async (isTrial, noted) => {
  await using world = await World.make();
  const { onDemand } = comingBack(world, 'starting', {});
  const away = { phase: 'away', since: 0, why: { type: 'asked' } } as const;
  Object.defineProperty(onDemand.suspending, 'tries', { value: isTrial });
  const saved = { bytes: 1, at: '2026-01-01T00:00:00.000Z' };
  onDemand.noteStep({ phase: 'ready', since: 0, attempt: 1 }, { type: 'suspended', saved });
  onDemand.noteStep(away, { type: 'wanted', why: 'w', ...(isTrial && { isTrial }) });
  const lines = readFileSync(world.layout.day, 'utf8').trim().split('\n');
  const events = lines.map((line) => (JSON.parse(line) as { event: string }).event);
  for (const [event, times] of Object.entries(noted))
    expect([event, events.filter((each) => each === event).length]).toEqual([event, times]);
});

// Behaviour 97: A daemon that has given up tries again when a build arrives at least a minute later, and that build
// waits for the guest. After each further failure, this minimum is four times as long, up to an hour.
test('a daemon that has given up tries again for a client that comes later', async () => {
  await using world = await World.make();
  world.spoil();
  const first = { type: 'rest', why: { type: 'not-needed-yet' } } as const;
  const {
    supervisor,
    phases,
    pass,
    getReady,
    port,
    seen,
    until: reaches,
  } = await rig(world, first);
  await seen(() => supervisor.status().door !== undefined);
  const held = new Client(port);
  await reaches('failed');
  await seen(() => held.over);
  // The cause goes, of which the daemon hears nothing.
  world.update();
  const early = new Client(port);
  await seen(() => early.over);
  expect(supervisor.status()).toMatchObject({ phase: 'failed', attempt: 1 });
  expect(supervisor.status().until).toBeDefined();
  await pass(61_000);
  expect(supervisor.status().until).toBeUndefined();
  // A port scan brings none.
  const scan = new Client(port, '');
  await seen(() => supervisor.doorControl.counts().held === 1);
  await pass(5_000);
  expect(phases.at(-1)).toBe('failed');
  const client = new Client(port);
  await getReady();
  for (const { socket } of [scan, client]) socket.destroy();
  supervisor.dispatch({ type: 'stop' });
  await reaches('stopped');
});

// Behaviour 116: If clients are still in the guest when `suspend` stops waiting for them, it says how many builds and
// connections there are. It then sends the guest away only if you agree at the terminal or use `--force`.
test('stays for whoever is in it, unless it is sent away by force', async () => {
  await using world = await World.make();
  const { supervisor, phases, until: reaches, doorControl } = await rig(world);
  // As of an ssh session that has logged in.
  Object.assign(doorControl, { counts: () => ({ ...nobody, open: 2, loggedIn: 1, entering: 1 }) });
  supervisor.drain(true);
  const inUse = { loggedIn: 2, builds: 0 };
  expect(await supervisor.suspend()).toEqual({ goes: false, inUse });
  expect(doorControl.isDraining).toBe(true);
  expect(phases.at(-1)).toBe('ready');
  expect(await supervisor.suspend(true)).toEqual({ goes: true });
  expect(phases.at(-1)).toBe('stopping');
  await reaches('away');
  supervisor.dispatch({ type: 'stop' });
  await reaches('stopped');
});

test('comes back for who came while somebody still held the door of a guest that was gone', async () => {
  await using world = await World.make();
  const { supervisor, until: reaches, getReady, port, seen, doorControl } = await rig(world);
  const hold = new DoorHold((isHeld) => supervisor.drain(isHeld));
  const killed = new AbortController();
  hold.take(killed.signal);
  expect(await supervisor.suspend()).toEqual({ goes: true });
  await reaches('away');
  const client = new Client(port);
  await seen(() => doorControl.hasWaiting);
  expect(supervisor.status().phase).toBe('away');
  killed.abort();
  await getReady();
  await seen(() => doorControl.counts().held === 0);
  client.socket.destroy();
  supervisor.dispatch({ type: 'stop' });
  await reaches('stopped');
});

// Behaviour 130: A `gc` or `trim` that somebody requests counts as use of the guest. Until it ends, the guest is
// sent away only if that is forced.
test('stays while somebody waits for what it does for him, unless it is sent away by force', async () => {
  await using world = await World.make();
  const { supervisor, phases, until: reaches } = await rig(world);
  Object.defineProperty(supervisor.onDemand.housekeeping, 'isAsked', { value: true });
  expect(await supervisor.suspend()).toEqual({ goes: false, isHousekeeping: true });
  expect(phases.at(-1)).toBe('ready');
  expect(await supervisor.suspend(true)).toEqual({ goes: true });
  await reaches('away');
  supervisor.dispatch({ type: 'stop' });
  await reaches('stopped');
});

// Behaviour 118: With `start` set to `demand`, the daemon starts without a guest.
test('may begin without a guest', async () => {
  await using world = await World.make();
  const why = { type: 'not-needed-yet' } as const;
  const {
    supervisor,
    phases,
    until: reaches,
    getReady,
    port,
    seen,
    doorControl,
  } = await rig(world, {
    type: 'rest',
    why,
  });
  await seen(() => supervisor.status().door !== undefined);
  expect([phases, world.starts]).toEqual([['away'], 0]);
  expect(supervisor.status()).toMatchObject({ away: { why: why.type }, door: { port } });
  const client = new Client(port);
  await seen(() => doorControl.hasWaiting);
  await getReady();
  client.socket.destroy();
  supervisor.dispatch({ type: 'stop' });
  await reaches('stopped');
});

test('deletes the file of a suspended guest when the settings say that it is to be stopped', async () => {
  await using world = await World.make();
  const { layout } = world;
  const saved = { bytes: 1, at: '2026-01-01T00:00:00.000Z' };
  const why = { type: 'not-needed-yet' } as const;
  writeFileSync(layout.memory, 'its memory');
  writeFileSync(layout.suspended, '{}');
  const first = { type: 'rest', why, saved } as const;
  const { supervisor, until: reaches, seen } = await rig(world, first, undefined, 'auto');
  expect(supervisor.status().away).toMatchObject({ guest: 'suspended' });
  await seen(() => supervisor.status().door !== undefined);
  expect(existsSync(layout.memory)).toBe(true);
  supervisor.settle({ config: { ...world.config, idle }, problems: [] });
  expect(supervisor.status().away).toMatchObject({ guest: 'stopped' });
  expect([layout.memory, layout.suspended].some(existsSync)).toBe(false);
  supervisor.dispatch({ type: 'stop' });
  await reaches('stopped');
});

test('deletes it also where a start has failed before it took the file', async () => {
  await using world = await World.make();
  const { layout } = world;
  const { supervisor, until: reaches } = await rig(world, { type: 'start' }, undefined, 'auto');
  const failure = { kind: 'x', message: 'm', hint: '', exit: 69, recovery: 'give-up' } as const;
  supervisor.dispatch({ type: 'lost', failure });
  await reaches('failed');
  writeFileSync(layout.memory, 'its memory');
  writeFileSync(layout.suspended, '{}');
  supervisor.settle({ config: { ...world.config, idle }, problems: [] });
  expect([layout.memory, layout.suspended].some(existsSync)).toBe(false);
  supervisor.dispatch({ type: 'stop' });
  await reaches('stopped');
});

test('wakes the guest for a client that came while the door was being opened', async () => {
  await using world = await World.make();
  const wanted: Event[] = [];
  // Whoever asks before it is open finds no door: on macOS that takes a moment.
  const doorControl = { isDraining: false, hasWaiting: false };
  const open = () => {
    onDemand.onWaiting();
    return Promise.resolve().then(() => void (doorControl.hasWaiting = true));
  };
  const onDemand: OnDemand = new OnDemand({
    clock: new FakeClock(),
    isOurs: () => true,
    log: () => undefined,
    onDoor: () => undefined,
    doorControl: () =>
      Object.assign(doorControl, { open, hold: () => undefined }) as unknown as DoorControl,
    state: () => ({ phase: 'away', since: 0, why: { type: 'unused', forMs: 60_000 } }),
    config: () => world.config,
    layout: world.layout,
    scope: () => undefined,
    dispatch: (event) => wanted.push(event),
  });
  await onDemand.awaitClients();
  expect(wanted).toMatchObject([{ type: 'wanted' }]);
});

test('holds nobody for a guest that has been given up again while the door was being opened', async () => {
  await using world = await World.make();
  const told: string[] = [];
  const failed = { phase: 'failed', since: 0, attempt: 1, because: { kind: 'x' } };
  const states = [failed, { ...failed, until: 60_000 }];
  const doorControl = {
    isDraining: false,
    hasWaiting: false,
    hold: () => told.push('held'),
    open: () => Promise.resolve().then(() => void states.shift()),
  };
  const onDemand = new OnDemand({
    clock: new FakeClock(),
    isOurs: () => true,
    log: () => undefined,
    onDoor: () => told.push('told'),
    doorControl: () => doorControl as unknown as DoorControl,
    state: () => states[0] as never,
    config: () => world.config,
    layout: world.layout,
    scope: () => undefined,
    dispatch: ({ type }) => told.push(type),
  });
  await onDemand.awaitClients();
  expect(told).toEqual(['told']);
});

// Behaviour 131: While a garbage collection is running, the daemon, not the command `gc`, keeps new connections
// waiting. Killing `gc` therefore does not lock any client out.
test('a collection holds the door by itself, and has no say in who else holds it', async () => {
  await using world = await World.make();
  const door: string[] = [];
  let end: (ended: object) => void = () => undefined;
  const doorControl = {
    counts: () => ({ opening: 0, entering: 0, loggedIn: 0 }),
    withhold: (isWanted: boolean) => door.push(`withhold ${isWanted}`),
    drain: (isWanted: boolean, how: string) => door.push(`drain ${isWanted} ${how}`),
  };
  const scope = {
    guest: {
      has: (stage: string) => stage === 'agent',
      agent: { exec: () => new Promise((resolve) => (end = resolve)) },
    },
  };
  const onDemand = new OnDemand({
    clock: new FakeClock(),
    isOurs: () => true,
    log: () => undefined,
    onDoor: () => door.push('told'),
    doorControl: () => doorControl as unknown as DoorControl,
    state: () => ({ phase: 'ready', since: 0, failures: [] }) as never,
    config: () => world.config,
    layout: world.layout,
    scope: () => scope as never,
    dispatch: () => undefined,
  });
  const collected = onDemand.housekeeping.collect();
  expect(door).toEqual(['withhold true']);
  end({ code: 143, stdout: '/dev/vda 100 10 90 10% /nix', stderr: '' });
  expect(await collected).toMatchObject({ isDone: false });
  expect(door).toEqual(['withhold true', 'withhold false']);
});
