import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { cachesIn, cachesScript } from '../../src/guest/login/caches.ts';
import { removeTree } from '../remove-tree.ts';

describe('the script, in a shell whose nix and busybox are ours', () => {
  let directory: string;
  const program = (name: string, lines: readonly string[]) => {
    writeFileSync(join(directory, name), ['#!/bin/sh', ...lines, ''].join('\n'));
    chmodSync(join(directory, name), 0o755);
  };
  const ask = (substituters: string) => {
    program('nix', [
      `case "$*" in *'config show') echo 'sandbox = true'; echo 'substituters = ${substituters}'; exit ;; esac`,
      '[ -n "$XDG_CACHE_HOME" ] || exit 1',
      'case "$*" in *good*) exit 0 ;; esac',
      'echo one line; echo "error: the last line"',
      'exit 1',
    ]);
    const env = { PATH: `${directory}:${process.env['PATH'] ?? ''}`, TMPDIR: directory };
    const argv = { input: cachesScript, env, encoding: 'utf8' } as const;
    return cachesIn(execFileSync('/bin/sh', argv));
  };

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'caches-'));
    program('busybox', ['[ "$1" = nslookup ] && [ "$2" != unknown.test ]']);
  });
  afterEach(() => removeTree(directory));

  test('tells what is reached, what has no address, and what gives no answer, in Nix’s words', () => {
    expect(
      ask(
        'https://good.test http://unknown.test:8080/x?a=b http://user:word@bad.test:1 http://[::1]:9',
      ),
    ).toEqual([
      { url: 'https://good.test', state: 'reached' },
      { url: 'http://unknown.test:8080/x?a=b', state: 'unnamed' },
      { url: 'http://bad.test:1', state: 'unreached', said: '"error: the last line"' },
      { url: 'http://[::1]:9', state: 'unreached', said: '"error: the last line"' },
    ]);
    expect(readdirSync(directory).sort()).toEqual(['busybox', 'nix']);
  });

  test('looks up no address, and asks nothing of what is no http', () => {
    program('busybox', ['exit 1']);
    expect(ask('file:///good ssh://good http://192.0.2.1/good')).toEqual([
      { url: 'http://192.0.2.1/good', state: 'reached' },
    ]);
    expect(ask('')).toEqual([]);
  });
});

test.each(['', 'reached http://a.test', 'end\nreached http://a.test'])(
  'an answer that did not come to its end is none: %j',
  (text) => expect(cachesIn(text)).toBeUndefined(),
);
test('what a guest says besides, and what a terminal would obey, is left out', () =>
  expect(cachesIn('hello\nunreached http://a.test \u001b[2Jno\nbroken http://b.test\nend')).toEqual(
    [{ url: 'http://a.test', state: 'unreached', said: '"no"' }],
  ));
