/** A file that is replaced whole keeps a mode by which its own owner may not write it, as people give their ssh configuration. */
import { chmodSync, chownSync, mkdtempSync, readFileSync, statSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeProgram, outcome } from '../rig/other-process.ts';
import { removeTree } from '../remove-tree.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'write-whole-'));
});
afterEach(() => removeTree(dir));

const source = `
  import { writeWhole } from '../../src/system/files/files.ts';
  // Of write-file-atomic, which is no module of this kind.
  globalThis.__filename = process.argv[1];
  writeWhole(process.argv[2], 'before', { mode: 0o400 });
  writeWhole(process.argv[2], 'now', { mode: 0o400 });`;

test('a read-only file', async () => {
  const program = await makeProgram(dir, source);
  const file = join(dir, 'config');
  chmodSync(program, 0o644);
  // Root may write it whatever its mode.
  const isRoot = process.getuid?.() === 0;
  if (isRoot) chownSync(dir, 65534, 65534);
  const writer = spawn(process.execPath, [program, file], isRoot ? { uid: 65534, gid: 65534 } : {});
  expect(await outcome(writer)).toEqual({ code: 0, signal: null, said: '' });
  expect(readFileSync(file, 'utf8')).toBe('now');
  expect(statSync(file).mode & 0o777).toBe(0o400);
});
