import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { CliContext } from '../../src/command/context.ts';
import { afterBuilds } from '../../src/client/wait-for-builds.ts';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import { openControl } from '../../src/supervisor/daemon/control.ts';
import type { Busy } from '../../src/supervisor/daemon/control-protocol.ts';
import { ask, holdDoor } from '../../src/supervisor/daemon/ask-daemon.ts';
import { ownPidFiles } from '../../src/supervisor/daemon/daemon-lock.ts';
import { DoorHold } from '../../src/supervisor/daemon/door-hold.ts';
import { drain } from '../../src/client/drain.ts';
import { systemClock, type Clock } from '../../src/system/time/clock.ts';
import { silent } from '../../src/system/log.ts';
import { removePid, writePid } from '../../src/system/files/pidfile.ts';
import { identify } from '../../src/system/process/process.ts';
import { calm, nobody } from '../fakes/commands.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { removeTree } from '../remove-tree.ts';

/** Five seconds are one. */
const speed = 5;
const hasty: Clock = {
  now: () => systemClock.now(),
  monotonic: () => systemClock.monotonic() * speed,
  sleep: (ms, signal) => systemClock.sleep(ms / speed, signal),
  after: (ms, fn) => systemClock.after(ms / speed, fn),
};
const never = new Promise<never>(() => undefined);
const signal = new AbortController().signal;
const me = identify(process.pid);

let layout: Layout;
let control: { close(): void };
/** What is through, as the daemon would say it, or its silence; the last one stands. */
let says: (
  number | { open: number; loggedIn: number; entering: number } | 'silence' | 'hangs-up'
)[] = [];
const asked: string[] = [];

beforeEach(async () => {
  layout = layoutOf(mkdtempSync(join(tmpdir(), 'drain-')));
  mkdirSync(layout.state);
  writePid(ownPidFiles(layout), process.pid, me?.program ?? '');
  asked.length = 0;
  await listen();
});
afterEach(() => {
  control.close();
  removeTree(layout.root);
});

async function listen(): Promise<void> {
  const answer = (command: string) => {
    asked.push(command);
    const open = (says.length > 1 ? says.shift() : says[0]) ?? 0;
    if (open === 'silence') return never;
    if (open === 'hangs-up') return hangUp();
    return typeof open === 'number' ? { ...nobody, open, loggedIn: open } : { ...nobody, ...open };
  };
  const hangUp = () => {
    control.close();
    // Whoever asks again finds a socket.
    return listen().then(() => nobody);
  };
  control = await openControl(
    layout,
    {
      ...calm,
      drain: () => answer('drain'),
      door: () => answer('door'),
      guest: () => ({ builds: 1 }),
      // What is in its file counts.
      status: () => Promise.reject(new Error('not now')),
    },
    silent,
  );
}

async function drained(limitMs = 600_000) {
  const told: (Busy | 'silent')[] = [];
  const options = {
    clock: hasty,
    signal,
    limitMs,
    onBusy: (busy: Busy) => told.push(busy),
    onSilent: () => told.push('silent'),
  };
  const end = await drain(layout, options, (how) => how);
  return { end, told };
}

// Behaviour 102: `stop` says how many builds are running, lets in no new connections, and waits for logged-in
// connections to end, even while the guest is paused or the daemon does not answer. After ten minutes (`--timeout`),
// it stops the guest anyway; `stop --now` does not wait.
test.each(['silence', 'hangs-up'] as const)(
  'a daemon that lives is asked again after %s, and to let nobody in',
  async (how) => {
    says = [1, how, 1, 0];
    const { end, told } = await drained();
    expect(end).toBe('drained');
    expect(told).toEqual([{ loggedIn: 1, builds: 1 }, 'silent']);
    expect(asked).toEqual(['drain', 'door', 'drain', 'door']);
  },
);

// Behaviour 102: `stop` says how many builds are running, lets in no new connections, and waits for logged-in
// connections to end, even while the guest is paused or the daemon does not answer. After ten minutes (`--timeout`),
// it stops the guest anyway; `stop --now` does not wait.
test('strangers are not waited for, but for as long as they may be logging in', async () => {
  const strangers = { open: 2, loggedIn: 0, entering: 0 };
  const oneIn = { open: 3, loggedIn: 1, entering: 0 };
  says = [{ ...strangers, entering: 1 }, oneIn, oneIn, strangers];
  expect(await drained()).toEqual({ end: 'drained', told: [{ loggedIn: 1, builds: 1 }] });
  expect(asked).toEqual(['drain', 'door', 'door', 'door']);
});

test('one that stays silent is waited for up to the limit, and that is told once', async () => {
  says = ['silence'];
  expect(await drained(12_000)).toEqual({ end: 'limit', told: ['silent'] });
});

// Behaviour 106: While a command waits to stop the guest, new connections wait at the door, for up to `holdSeconds`. If
// that command is killed, the door lets clients in again.
test('who waits holds the door by a connection that stays, and his end lets it go', async () => {
  control.close();
  const held: boolean[] = [];
  const hold = new DoorHold((isHeld) => held.push(isHeld));
  control = await openControl(
    layout,
    { ...calm, drain: ({ gone }) => (hold.take(gone), nobody) },
    silent,
  );
  const first = await holdDoor(layout, systemClock);
  const second = await holdDoor(layout, systemClock);
  expect(held).toEqual([true, true]);
  first[Symbol.dispose]();
  await ask(layout, 'door', systemClock);
  expect(held).toEqual([true, true]);
  // As the kernel does for one that is killed.
  second[Symbol.dispose]();
  while (held.length < 3) await new Promise((done) => setImmediate(done));
  expect(held).toEqual([true, true, false]);
  // One of an earlier release hangs up as soon as it has its answer.
  await ask(layout, 'drain', systemClock);
  await ask(layout, 'door', systemClock);
  expect(held).toEqual([true, true, false, true]);
  hold.letGo();
  expect(held.at(-1)).toBe(false);
});

test('the door is held while that is done for which it was waited, and no longer', async () => {
  control.close();
  const held: boolean[] = [];
  const hold = new DoorHold((isHeld) => held.push(isHeld));
  control = await openControl(
    layout,
    { ...calm, drain: ({ gone }) => (hold.take(gone), nobody) },
    silent,
  );
  const options = { clock: hasty, signal, limitMs: 600_000 };
  const told = { onBusy: () => undefined, onSilent: () => undefined };
  const work = async () => {
    await ask(layout, 'door', systemClock);
    return [...held];
  };
  expect(await drain(layout, { ...options, ...told }, work)).toEqual([true]);
  while (held.length < 2) await new Promise((done) => setImmediate(done));
  expect(held).toEqual([true, false]);
});

test('one that has ended has nothing through', async () => {
  says = [1, 'silence'];
  removePid(ownPidFiles(layout));
  expect((await drained()).end).toBe('drained');
});

test.each([
  ['ready', ['drain', 'door']],
  ['paused', ['drain', 'door']],
  ['booting', []],
])('before a stop in phase %s the daemon is asked %j', async (phase, commands) => {
  says = [1, 0];
  writeFileSync(layout.status, JSON.stringify({ version: 1, phase, daemon: me }));
  const said: string[] = [];
  const context = { clock: hasty, signal, err: (line: string) => said.push(line) };
  const work = () => Promise.resolve('done');
  expect(await afterBuilds(layout, { timeout: 600 }, context as unknown as CliContext, work)).toBe(
    'done',
  );
  expect(asked).toEqual(commands);
  expect(said.length).toBe(commands.length === 0 ? 0 : 1);
});

test('a sleep in the midst of it takes nothing of the limit', async () => {
  says = [1];
  const clock = new FakeClock();
  const told = { onBusy: () => undefined, onSilent: () => undefined };
  const end = drain(layout, { clock, signal, limitMs: 60_000, ...told }, (how) => how);
  const turns = async (count: number) => {
    while (asked.length < count)
      if (clock.due.includes(500)) await clock.advance(500);
      else await new Promise((resolve) => setImmediate(resolve));
  };
  await turns(2);
  await clock.jump(3600_000);
  await turns(5);
  says = [0];
  await turns(6);
  expect(await end).toBe('drained');
  expect(clock.pending).toBe(0);
});
