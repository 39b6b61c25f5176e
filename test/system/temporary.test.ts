import { mkdirSync, mkdtempSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { plainFolder, temporaryFolder } from '../../src/system/files/temporary.ts';
import { failureOf } from '../../src/system/failure.ts';
import { removeTree } from '../remove-tree.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync('/tmp/tmp-');
});
afterEach(() => {
  vi.unstubAllEnvs();
  removeTree(dir);
});

test.each([
  ['long', 'x'.repeat(90), '/tmp'],
  ['of several words', 'my files', '/tmp'],
  ['plain', 'plain', undefined],
])('a plain folder is not in a TMPDIR that is %s', (_, name, instead) => {
  const parent = join(dir, name);
  mkdirSync(parent);
  vi.stubEnv('TMPDIR', parent);
  const made = plainFolder('x-');
  rmdirSync(made);
  expect(dirname(made)).toBe(instead ?? parent);
});

test('a TMPDIR that is not there is named', () => {
  vi.stubEnv('TMPDIR', join(dir, 'none'));
  const said = (() => {
    try {
      return temporaryFolder('x-');
    } catch (error) {
      return failureOf(error);
    }
  })();
  expect(said).toMatchObject({ kind: 'no-temporary-files' });
});

test('a plain folder is in /tmp where TMPDIR is gone, and in the first place that takes it', () => {
  vi.stubEnv('TMPDIR', join(dir, 'none'));
  const inTmp = plainFolder('x-');
  rmdirSync(inTmp);
  expect(dirname(inTmp)).toBe('/tmp');
  const file = join(dir, 'file');
  writeFileSync(file, '');
  expect(dirname(plainFolder('x-', [join(dir, 'none'), file, dir, '/tmp']))).toBe(dir);
  expect(() => plainFolder('x-', [file, join(dir, 'none')])).toThrow(file);
});
