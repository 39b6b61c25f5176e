import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isRefusedRoot, rootProgram } from '../../src/system/process/become-root.ts';
import { removeTree } from '../remove-tree.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'root-'));
});
afterEach(() => removeTree(dir));

test.each([
  [['sudo', 'doas'], 'sudo'],
  [['doas'], 'doas'],
  [[], 'sudo'],
])('of %j a command is run as root by %s', (names, program) => {
  mkdirSync(join(dir, 'bin'));
  for (const name of names) writeFileSync(join(dir, 'bin', name), '', { mode: 0o755 });
  expect(rootProgram(join(dir, 'bin'))).toBe(program);
});

test.each([
  ['sudo: a password is required\n', true],
  ['sudo: interactive authentication is required\n', true],
  ['sudo-rs: interactive authentication is required\n', true],
  ['doas: Authentication required\n', true],
  // It ran ssh, which then did not come through.
  ['sudo: unable to resolve host box: Name or service not known\nPermission denied\n', false],
  ['Permission denied (publickey).\n', false],
])('what it says itself, as a refusal: %j', (stderr, isRefused) =>
  expect(isRefusedRoot(stderr)).toBe(isRefused),
);
