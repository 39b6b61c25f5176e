/** Root's public key, whose other half logs in to the guest: believed only where nobody but root can have written it. */
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { rootPaths } from '../../src/host/system-paths.ts';
import { rootKeyReader } from '../../src/host/root/root-key.ts';
import { makeDirectory } from '../../src/system/files/files.ts';
import { needs } from '../needs.ts';
import { removeTree } from '../remove-tree.ts';

const key = (letter: string) => `ssh-ed25519 ${letter.repeat(68)}`;

let tree: string;
let path: string;
let read: () => string | undefined;
beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), 'root-key-'));
  const paths = rootPaths({ rootHome: tree, etcNix: tree });
  path = paths.clientPublicKey;
  makeDirectory(paths.directory);
  writeFileSync(path, `${key('A')} nix-daemon\n`, { mode: 0o644 });
  read = rootKeyReader(paths);
});
afterEach(() => removeTree(tree));

test('is read again when it is another, and none when it is gone', () => {
  expect(read()).toBe(key('A'));
  writeFileSync(path, key('B'));
  expect(read()).toBe(key('B'));
  rmSync(path);
  expect(read()).toBeUndefined();
});

describe('is none', () => {
  test('of another user', needs('root'), () => {
    chownSync(path, 65534, 65534);
    expect(read()).toBeUndefined();
  });

  test.each([0o664, 0o646])('that others can write: %o', (mode) => {
    chmodSync(path, mode);
    expect(read()).toBeUndefined();
  });

  test.each([
    ['a second key', `${key('A')}\n${key('B')}\n`],
    ['options before it', `command="id" ${key('A')}\n`],
    ['another kind', `ssh-rsa ${'A'.repeat(68)}\n`],
  ])('with %s', (_, text) => {
    writeFileSync(path, text);
    expect(read()).toBeUndefined();
  });
});
