import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { barrierWords, cannotRead, unread } from '../../src/system/files/barrier.ts';
import { quotedWord } from '../../src/system/shell.ts';
import { needs } from '../needs.ts';
import { makeProgram } from '../rig/other-process.ts';
import { removeTree } from '../remove-tree.ts';

let dir: string;
let program: string;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'barrier-'));
  chmodSync(dir, 0o755);
  const source = `import { barrierWords, cannotRead } from '../../src/system/files/barrier.ts';
    const [, , path = '', code] = process.argv;
    console.log(code === undefined ? barrierWords(path) : cannotRead(path, code).hint);`;
  program = await makeProgram(dir, source);
});
afterAll(() => removeTree(dir));

const isRoot = process.getuid?.() === 0;
/** Root is kept from nothing. */
const asNobody = (...argv: string[]) =>
  spawnSync(process.execPath, [program, ...argv], {
    encoding: 'utf8',
    env: {},
    ...(isRoot && { uid: 65_534, gid: 65_534 }),
  }).stdout.trim();

// Behaviour 33: If something cannot be written, the message names the directory that denies access, and that
// directory's owner.
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

// As root these commands would be refused, or make files that are not their user's.
describe('a file of another user that cannot be read', needs('root'), () => {
  test('in a directory of ours can be made ours', () => {
    const folder = join(dir, "anna's");
    const file = join(folder, '.ssh/config');
    mkdirSync(join(folder, '.ssh'), { recursive: true });
    writeFileSync(file, '', { mode: 0o600 });
    chownSync(folder, 65_534, 65_534);
    for (const code of ['EACCES', 'EPERM'])
      expect(asNobody(file, code)).toContain(`sudo chown "$USER" ${quotedWord(file)}`);
    chmodSync(join(folder, '.ssh'), 0o700);
    expect(asNobody(file, 'EACCES')).toContain(`chown "$USER" ${quotedWord(join(folder, '.ssh'))}`);
  });

  test('in a directory of that user is for that user to read', () => {
    const folder = join(dir, 'declared');
    mkdirSync(folder, { mode: 0o700 });
    chownSync(folder, 1234, 1234);
    expect(asNobody(join(folder, 'state/log'), 'EACCES')).toContain("sudo -u '#1234'");
  });

  test('of root elsewhere is not for us to take, and no command is run as root for it', () => {
    const file = join(dir, 'installed.json');
    writeFileSync(file, '', { mode: 0o600 });
    expect(asNobody(file, 'EACCES')).not.toContain('sudo');
  });
});

test('nothing is moved away where it is the system that opens no more files, or does not permit it', () => {
  const hints = ['EACCES', 'EPERM', 'EMFILE', 'ENFILE', 'EISDIR'].map(
    (code) => cannotRead(join(dir, 'none'), code).hint,
  );
  expect(hints.map((hint) => hint === unread('', 'EISDIR').hint)).toEqual([
    false,
    false,
    false,
    false,
    true,
  ]);
});
