import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import { ask, openControl, type Commands } from '../../src/supervisor/daemon/control.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { silent } from '../../src/system/log.ts';
import { calm, nobody } from '../fakes/commands.ts';

let layout: Layout;
let control: { close(): void };
const asked: string[] = [];
const todo: Commands = {
  ...calm,
  drain: () => (asked.push('drain'), { ...nobody, open: 3 }),
  undrain: () => (asked.push('undrain'), {}),
  restart: () => (asked.push('restart'), {}),
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
  rmSync(layout.root, { recursive: true, force: true });
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
