import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { barrierWords } from '../../src/system/files/barrier.ts';
import { makeProgram } from '../rig/other-process.ts';

let dir: string;
let program: string;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'barrier-'));
  chmodSync(dir, 0o755);
  const source = `import { barrierWords } from '../../src/system/files/barrier.ts';
    console.log(barrierWords(process.argv[2] ?? ''));`;
  program = await makeProgram(dir, source);
});
afterAll(() => rmSync(dir, { recursive: true }));

const isRoot = process.getuid?.() === 0;
/** Root is kept from nothing. */
const asNobody = (path: string) =>
  spawnSync(process.execPath, [program, path], {
    encoding: 'utf8',
    env: {},
    ...(isRoot && { uid: 65_534, gid: 65_534 }),
  }).stdout.trim();

// Behaviour 21: If something cannot be written, the message names the directory that denies access, and its owner.
test('a directory of somebody else is named with its owner, however much is missing below it', () => {
  const folder = join(dir, 'roots');
  mkdirSync(folder, { mode: 0o755 });
  if (!isRoot) chmodSync(folder, 0o555);
  const words = asNobody(join(folder, 'a/b/c'));
  expect(words).toContain(folder);
  expect(words).toMatch(isRoot ? /belongs to root/ : /Check the permissions/);
});

test('one that may not even be entered, too', () => {
  const folder = join(dir, 'closed');
  mkdirSync(join(folder, 'in'), { recursive: true });
  chmodSync(folder, 0);
  expect(asNobody(join(folder, 'in/file'))).toContain(folder);
  chmodSync(folder, 0o700);
});

test('where nothing is in the way there, the file itself may be', () => {
  expect(barrierWords(join(dir, 'file'))).toBe(
    'Check the owner and permissions of the file and of its directory.',
  );
});
