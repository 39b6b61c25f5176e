import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import { openControl, type Commands } from '../../src/supervisor/daemon/control.ts';
import { ask, holdDoor } from '../../src/supervisor/daemon/ask-daemon.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { silent } from '../../src/system/log.ts';
import { calm, nobody } from '../fakes/commands.ts';
import { removeTree } from '../remove-tree.ts';

let layout: Layout;
let control: { close(): void };
const asked: string[] = [];
const collected = { isDone: true, diskBytes: 2, diskFreeBytes: 1 };
const todo: Commands = {
  ...calm,
  drain: () => (asked.push('drain'), { ...nobody, open: 3 }),
  undrain: () => (asked.push('undrain'), {}),
  restart: () => (asked.push('restart'), {}),
  gc: () => (asked.push('gc'), collected),
  guest: () => Promise.resolve({ builds: 2 }),
  door: () => ({ held: 1, opening: 0, open: 2, loggedIn: 1, entering: 0 }),
};
beforeEach(async () => {
  asked.length = 0;
  layout = layoutOf(mkdtempSync(join(tmpdir(), 'control-')));
  mkdirSync(layout.state);
  // What a daemon that was killed leaves behind.
  writeFileSync(layout.control, '');
  control = await openControl(layout, todo, silent);
});
afterEach(() => {
  control.close();
  removeTree(layout.root);
});

test('commands are carried out and answered', async () => {
  expect(await ask(layout, 'drain', systemClock)).toEqual({ ...nobody, open: 3 });
  expect(await ask(layout, 'door', systemClock)).toEqual({
    held: 1,
    opening: 0,
    open: 2,
    loggedIn: 1,
    entering: 0,
  });
  expect(await ask(layout, 'guest', systemClock)).toEqual({ builds: 2 });
  expect(await ask(layout, 'restart', systemClock)).toEqual({});
  expect(asked).toEqual(['drain', 'restart']);
});

test('only its owner can connect', () => expect(statSync(layout.control).mode & 0o777).toBe(0o600));

// Behaviour 218: The control socket that the group of a declared builder can use accepts requests that control the
// guest, and refuses `gc`, `trim` and new keys. The daemon's account has a socket of its own, which accepts
// everything, however many connections the group holds.
describe('where its group may ask', () => {
  let shared: { keep(): Promise<void>; close(): void };
  beforeEach(async () => {
    control.close();
    chmodSync(layout.state, 0o710);
    shared = await openControl(layout, todo, silent);
  });
  afterEach(() => shared.close());
  const modes = () =>
    [layout.control, layout.ownControl].map((path) => statSync(path).mode & 0o777);

  test.each(['gc', 'trim', 'keys'])('%s is refused it', async (command) => {
    expect(JSON.parse(await say(`{"command":"${command}"}\n`))).toMatchObject({
      ok: false,
      isForOwner: true,
    });
    expect(asked).toEqual([]);
  });

  test.each(['drain', 'undrain', 'refuse', 'admit', 'restart', 'suspend', 'resume', 'status'])(
    '%s is done for it',
    async (command) =>
      expect(JSON.parse(await say(`{"command":"${command}"}\n`))).toMatchObject({ ok: true }),
  );

  test('the owner can do all, by another socket, which comes again', async () => {
    expect(modes()).toEqual([0o660, 0o600]);
    expect(await ask(layout, 'gc', systemClock)).toEqual(collected);
    for (const path of [layout.control, layout.ownControl]) rmSync(path);
    await shared.keep();
    expect(modes()).toEqual([0o660, 0o600]);
    expect(await ask(layout, 'gc', systemClock)).toEqual(collected);
  });

  test('one that is left from then is not asked later', async () => {
    shared.close();
    writeFileSync(layout.ownControl, '');
    chmodSync(layout.state, 0o700);
    control = await openControl(layout, todo, silent);
    expect(existsSync(layout.ownControl)).toBe(false);
    expect(await ask(layout, 'trim', systemClock)).toEqual({ goesBack: true });
  });
});

test.each(['control', 'ownControl'] as const)(
  '%s that cannot be removed is named',
  async (name) => {
    control.close();
    rmSync(layout[name], { force: true });
    mkdirSync(layout[name]);
    await expect(openControl(layout, todo, silent)).rejects.toMatchObject({
      failure: { kind: 'cannot-write', message: expect.stringContaining(layout[name]) as string },
    });
  },
);

test.each([
  '{"command":"format-the-disk"}',
  '{"command":"toString"}',
  'no json',
  '[]',
  'null',
  '{}',
])('%s is answered with what is known', async (line) => {
  expect(JSON.parse(await say(`${line}\n`))).toMatchObject({
    ok: false,
    error: expect.any(String) as string,
  });
  expect(await ask(layout, 'undrain', systemClock)).toEqual({});
});

test('a request that never ends is cut, and others go on', async () => {
  const answered = say(`${'x'.repeat(100_000)}\n`);
  expect(JSON.parse(await answered)).toMatchObject({ ok: false });
  expect(await ask(layout, 'undrain', systemClock)).toEqual({});
});

test('one who connects without end is sent off, and takes nothing from the owner', async () => {
  control.close();
  chmodSync(layout.state, 0o710);
  control = await openControl(layout, todo, silent);
  const crowd = Array.from({ length: 100 }, () => connect({ path: layout.control }));
  let over = 0;
  for (const socket of crowd)
    socket
      .on('error', () => undefined)
      .on('close', () => over++)
      .resume();
  while (over < 36) await new Promise((resolve) => setImmediate(resolve));
  expect(await ask(layout, 'gc', systemClock)).toEqual(collected);
  expect(await ask(layout, 'restart', systemClock)).toEqual({});
  expect(await ask(layout, 'door', systemClock)).toMatchObject({ open: 2 });
  (await holdDoor(layout, systemClock))[Symbol.dispose]();
  expect(over).toBe(36);
  for (const socket of crowd) socket.destroy();
  while (over < 100) await new Promise((resolve) => setImmediate(resolve));
  expect(JSON.parse(await say('{"command":"door"}\n'))).toMatchObject({ ok: true });
});

test('without a daemon the failure says so', async () => {
  control.close();
  await expect(ask(layout, 'drain', systemClock)).rejects.toMatchObject({
    failure: { kind: 'daemon-not-running' },
  });
});

function say(bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path: layout.control }, () => socket.write(bytes));
    let text = '';
    socket.on('error', reject).on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes('\n')) {
        socket.destroy();
        resolve(text);
      }
    });
  });
}
