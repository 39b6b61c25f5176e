import { mkdirSync, mkdtempSync, rmdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { plainFolder, temporaryFolder } from '../../src/system/files/temporary.ts';
import { failureOf } from '../../src/system/failure.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync('/tmp/tmp-');
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true });
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
  for (const make of [plainFolder, temporaryFolder]) {
    const said = (() => {
      try {
        return make('x-');
      } catch (error) {
        return failureOf(error);
      }
    })();
    expect(said).toMatchObject({ kind: 'no-temporary-files' });
  }
});
