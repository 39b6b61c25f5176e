/** What a login finds under the name nix-daemon in our guest, run by this machine's sh with stand-ins for what it leads to. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished, expect, test } from 'vitest';
import { removeTree } from '../remove-tree.ts';

const path = new URL('../../src/image/rootfs/root/usr/local/bin/nix-daemon', import.meta.url);

/** The words by which it goes on. `isLinked`: whether the disk is there, with its link to a socket that nobody has made yet. */
function goesOnAs(argv: readonly string[], isLinked: boolean): string {
  const dir = mkdtempSync(join(tmpdir(), 'login-script-'));
  onTestFinished(() => removeTree(dir));
  const [script, socket, nix] = [join(dir, 'script'), join(dir, 'socket'), join(dir, 'nix')];
  if (isLinked) symlinkSync(join(dir, 'not-yet'), socket);
  for (const program of [join(dir, 'socat'), nix]) {
    writeFileSync(program, '#!/bin/sh\necho "${0##*/}" "$@"\n');
    chmodSync(program, 0o755);
  }
  const text = readFileSync(path, 'utf8')
    .replaceAll('/nix/var/nix/daemon-socket/socket', socket)
    .replaceAll('/usr/bin/nix-daemon', nix);
  writeFileSync(script, text);
  const env = { PATH: `${dir}:/usr/bin:/bin` };
  return execFileSync('/bin/sh', [script, ...argv], { env, encoding: 'utf8' }).trim();
}

test('a nix-daemon that is just starting is awaited, and no second one started', () =>
  expect(goesOnAs(['--stdio'], true)).toMatch(/^socat .* UNIX-CONNECT:\S+\/socket,retry=\d+/));

test('before the disk is there, and for all else, it is Nix itself', () => {
  expect(goesOnAs(['--stdio'], false)).toBe('nix --stdio');
  expect(goesOnAs(['--version'], true)).toBe('nix --version');
});
