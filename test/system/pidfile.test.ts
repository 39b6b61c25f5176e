import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../src/system/time/clock.ts';
import { readLive, removePid, writePid } from '../../src/system/files/pidfile.ts';
import { identify } from '../../src/system/process/process.ts';
import { removeTree } from '../remove-tree.ts';

let dir = '';
const files = () => ({ plain: join(dir, 'vm.pid'), record: join(dir, 'vm.json') });
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'pid-'));
});
afterEach(() => removeTree(dir));
const me = () => identify(process.pid) ?? { pid: 0, started: '', boot: '', program: '' };

// Behaviour 4: A process counts as the one that a pidfile names only if its pid, its start time, its program and the
// boot of the host in which it was started match, and no other process is known to hold its lock. A process that merely
// has the same pid is never touched.
test('a living process is believed, and the plain file holds its pid', () => {
  writePid(files(), process.pid, me().program);
  expect(readLive(files())).toEqual(me());
  expect(readFileSync(files().plain, 'utf8')).toBe(`${process.pid}\n`);
  removePid(files());
  expect(existsSync(files().record) || existsSync(files().plain)).toBe(false);
});

test.each([
  ['started', { started: '1' }],
  ['boot', { boot: 'another' }],
  ['program', { program: 'qemu' }],
])('the same pid with another %s is nobody', (_, change) => {
  writeFileSync(files().record, JSON.stringify({ ...me(), ...change }));
  expect(readLive(files())).toBeUndefined();
});

test.each([
  '',
  '{',
  'null',
  '[]',
  '{"pid":"1"}',
  '{"pid":-1,"started":"","boot":"","program":""}',
  '{"pid":0}',
  '\0',
])('a record of %j is nobody', (text) => {
  writeFileSync(files().record, text);
  expect(readLive(files())).toBeUndefined();
});

test('a process that ended but was not collected is nobody', async () => {
  // sleep is handed a child that it knows nothing of, and so never collects it: a zombie.
  const parent = spawn('/bin/sh', ['-c', 'sleep 0.01 & echo $!; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [chunk] = (await once(parent.stdout, 'data')) as [Buffer];
  const pid = Number(chunk.toString());
  try {
    while (identify(pid) !== undefined) await systemClock.sleep(2);
    expect(existsSync(`/proc/${pid}/stat`)).toBe(true);
  } finally {
    parent.kill('SIGKILL');
  }
});
