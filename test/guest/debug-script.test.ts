import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { debugScript, staying } from '../../src/guest/debug/debug-script.ts';
import { keptBuilds } from '../../src/guest/debug/kept-builds.ts';
import { findProgram } from '../../src/system/process/find-program.ts';
import { needs } from '../needs.ts';
import { removeTree } from '../remove-tree.ts';

let root: string;
beforeEach(() => (root = mkdtempSync(join(tmpdir(), 'lk-debug-'))));
let running: ChildProcess | undefined;
afterEach(
  () =>
    running?.pid !== undefined &&
    running.exitCode === null &&
    process.kill(-running.pid, 'SIGKILL'),
);
afterEach(() => removeTree(root));

const token = '.token';

/** Runs root's script in a guest of a few files, where `build` is what Nix and the build do, beside the pipes of the script. */
async function debug(build: string) {
  const [bin, dir] = [join(root, 'bin'), join(root, 'dir')];
  for (const path of [bin, dir, join(root, 'nix/var/nix/builds/one/build')])
    mkdirSync(path, { recursive: true });
  writeFileSync(join(dir, 'request'), '');
  const program = (name: string, text: string) => {
    writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(bin, name), 0o755);
  };
  const builds = join(root, 'nix/var/nix/builds');
  program('nix-store', `builds=${builds}; : >$builds/one/build/${token}\n${build}`);
  // The guest's awk takes a line when it comes; that of this machine may wait for more.
  program(
    'awk',
    `while IFS= read -r line; do case $line in *${token}*) exit ;; esac; echo "$line"; done`,
  );
  const env = { PATH: `${bin}:${process.env['PATH'] ?? ''}` };
  const argv = ['-c', debugScript(root), 'debug', dir, token, 'a.drv', 'pipes'];
  // A group of its own, which ends with the test.
  const child = spawn('/bin/sh', argv, { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  running = child;
  let said = '';
  child.stdout.resume();
  child.stderr.on('data', (chunk: Buffer) => (said += String(chunk)));
  const [code] = (await once(child, 'close')) as [number | null];
  const kept = readdirSync(join(root, keptBuilds));
  const left = [...readdirSync(builds), existsSync(dir)];
  return { code, said, kept, left };
}

// It is the guest's, whose shell and programs read /proc and have GNU's options.
describe("root's part of a shell in a failed build", needs('Linux'), () => {
  test('ends with a build that ends before its builder has', async () => {
    const build = 'echo begun >state; read -r _ <go; echo its last words >&2; exit 1';
    const { code, said, kept, left } = await debug(build);
    expect({ code, kept, left }).toEqual({ code: 69, kept: [], left: [false] });
    expect(said).toContain('its last words');
  });

  test('ends where the build has begun a line that it does not end', async () => {
    const build = 'echo begun >state; read -r _ <go; printf junk >state; exit 1';
    expect(await debug(build)).toMatchObject({ code: 69, left: [false] });
  });

  test('touches nothing of a build that says that it is over, until Nix says so', async () => {
    const { code, kept, left } = await debug(`
      echo begun >state; read -r _ <go
      echo ${token} >&2
      echo ended 1 >state; read -r _ <go
      : >out; : >err
      # More than a pipe holds: behind it the end of before has been read.
      { echo over 5; echo gone; yes x | head -c 200000; echo over 5; } >state
      [ ! -d $builds/one/build ] || echo whole >${root}/whole
    `);
    expect(readFileSync(join(root, 'whole'), 'utf8')).toBe('whole\n');
    expect({ kept, left }).toEqual({ kept: ['a.drv'], left: [false] });
    expect(code).toBe(5);
  });

  test('says that there is nothing to build, in no words of a protocol', async () => {
    const { code, said } = await debug(
      `printf 'magicmagversion.\\002\\0\\0\\0\\0\\0\\0\\0a realisation' >&1; exit 0`,
    );
    expect(code).toBe(69);
    expect(said).toMatch(/^linuxkit-builder: nothing to build: .*\n.* gc\n$/);
  });

  test('says why Nix builds nothing, in its words', async () => {
    const { code, said } = await debug(
      `printf 'magicmagversion.\\003\\0\\0\\0\\0\\0\\0\\0a feature is missing' >&1; exit 0`,
    );
    expect({ code, said }).toEqual({
      code: 69,
      said: expect.stringContaining('a feature') as string,
    });
  });
});

test('nothing of the derivation runs before it is asked for', needs('Linux'), () => {
  const { args } = staying({ builder: '/bin/true', args: [], command: [], token });
  const env = { 'BASH_FUNC_unset%%': '() { builtin echo >ran; }' };
  const { error } = spawnSync(findProgram('bash'), args, { cwd: root, env, argv0: 'sh' });
  expect(error).toBeUndefined();
  // There is no /dev/debug here, where it would wait.
  expect(readdirSync(root)).toEqual([token]);
});
