/** What Nix says of its own settings, as `doctor` and `configure` pass it on. The Nix of this machine is asked. */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { CliContext } from '../../src/command/context.ts';
import { findNix } from '../../src/nix/variant.ts';
import { configureRig } from '../setup/configure-rig.ts';
import { needs } from '../needs.ts';

type Rig = ReturnType<typeof configureRig>;
const aNix = { programs: ['nix'] } as const;

function put(rig: Rig, path: string, text: string): void {
  mkdirSync(dirname(join(rig.tree, path)), { recursive: true });
  writeFileSync(join(rig.tree, path), text);
}

/** Which Nix that tree has. */
function found(rig: Rig, env: NodeJS.ProcessEnv = {}) {
  const context: Partial<CliContext> = {
    env: { PATH: process.env['PATH'], LINUXKIT_BUILDER_TREE: rig.tree, ...env },
    signal: new AbortController().signal,
  };
  return findNix(context as CliContext);
}

describe('settings that Nix refuses', needs(aNix), () => {
  test.each([
    ['a line of another form', 'cores=1\n'],
    ['a line of one word', 'cores = 1\nsandbox\n'],
    ['a bad value', 'cores = many\n'],
    ['another bad value', 'max-jobs = some\n'],
    ['a file that is not there', 'include missing.conf\n'],
    ['a line that is thought to go on', 'cores = 1 \\\n  2\n'],
  ])('are found: %s', async (_, text) => {
    using rig = configureRig();
    put(rig, 'etc/nix/nix.conf', text);
    const nix = await found(rig);
    expect(nix?.refused).toMatchObject({
      whose: 'all',
      words: expect.stringMatching(/./) as string,
    });
    // Nix without them says which it is.
    expect(nix?.version).toMatch(/^\d/);
  });

  test.each([
    ['a comment', '# cores=1\ncores = 1 # many\n'],
    ['line breaks of DOS', 'cores = 1\r\n\r\nmax-jobs = 2\r\n'],
    ['a setting that it does not know', 'colour = blue\n'],
    ['a file that need not be there', '!include missing.conf\n'],
    ['the same twice, with tabs', 'max-jobs\t=\t4\nmax-jobs = auto\n'],
    ['no jobs', 'max-jobs = 0\n'],
  ])('are none: %s', async (_, text) => {
    using rig = configureRig();
    put(rig, 'etc/nix/nix.conf', text);
    expect((await found(rig))?.refused).toBeUndefined();
  });

  test('are those of a file that is included, in whichever folder', async () => {
    using rig = configureRig();
    put(rig, 'etc/nix/nix.conf', '!include more/more.conf\n');
    put(rig, 'etc/nix/more/more.conf', 'cores = 1\n\nbad line\n');
    expect((await found(rig))?.refused).toMatchObject({
      whose: 'all',
      words: expect.stringContaining('more/more.conf') as string,
    });
  });

  test.each(['NIX_CONFIG', 'NIX_USER_CONF_FILES', 'XDG_CONFIG_HOME', 'NIX_CONF_DIR'])(
    'are your own: by %s',
    async (name) => {
      using rig = configureRig();
      put(rig, 'etc/nix/nix.conf', 'cores = 1\n');
      put(rig, 'mine/nix.conf', 'cores = many\n');
      put(rig, 'mine/nix/nix.conf', 'cores = many\n');
      const value = {
        NIX_CONFIG: 'cores = many',
        NIX_USER_CONF_FILES: join(rig.tree, 'mine/nix.conf'),
        XDG_CONFIG_HOME: join(rig.tree, 'mine'),
        NIX_CONF_DIR: join(rig.tree, 'mine'),
      }[name];
      expect((await found(rig, { [name]: value }))?.refused?.whose).toBe('yours');
    },
  );

  test('are those of nix-daemon, by its unit', async () => {
    using rig = configureRig();
    const unit = 'etc/systemd/system/nix-daemon.service';
    put(rig, unit, '[Service]\nEnvironment="NIX_CONFIG=cores = 1\\ncores = many"\n');
    expect((await found(rig))?.refused?.whose).toBe('daemon');
    put(rig, unit, '[Service]\nEnvironment="NIX_CONFIG=cores = 1\\ncores = 2"\n');
    expect((await found(rig))?.refused).toBeUndefined();
  });

  test(
    'are bad in doctor, and a warning of configure; what stands in the file is only for its owner',
    needs('root'),
    async () => {
      using rig = configureRig();
      put(rig, 'etc/nix/nix.conf', 'access-tokens github.com=hush7z\n');
      const { err } = await rig.runWith(
        { LINUXKIT_BUILDER_TREE: rig.tree, PATH: process.env['PATH'] },
        '-d',
        rig.layout.root,
      );
      expect(err.filter((line) => line.includes('hush7z'))).toHaveLength(1);
      const findings = await rig.doctor();
      expect(findings.find(({ name }) => name === 'nix settings')).toMatchObject({ kind: 'bad' });
      expect(JSON.stringify(findings)).not.toContain('hush7z');
      const env = { LINUXKIT_BUILDER_TREE: rig.tree, PATH: process.env['PATH'] };
      const { out } = await rig.anyWith(env, 'doctor', '-d', rig.layout.root);
      expect(out.filter((line) => line.includes('hush7z'))).toHaveLength(1);
    },
  );
});

/** In the place of Nix: keeps what it was asked, and does that. */
function fakeNix(rig: Rig, does: string): { path: string; asked: () => string[] } {
  const folder = join(rig.tree, 'bin');
  mkdirSync(folder, { recursive: true });
  const log = join(rig.tree, 'asked');
  writeFileSync(join(folder, 'nix'), `#!/bin/sh\necho "$*" >> '${log}'\n${does}\n`);
  chmodSync(join(folder, 'nix'), 0o755);
  return {
    path: `${folder}:${process.env['PATH'] ?? ''}`,
    asked: () => readFileSync(log, 'utf8').trim().split('\n'),
  };
}

test('doctor asks Nix for its version once', async () => {
  using rig = configureRig();
  const { path, asked } = fakeNix(rig, 'echo "nix (Nix) 2.31.0"');
  await rig.doctor({ PATH: path }, '--report', join(rig.tree, 'report'));
  expect(asked().filter((words) => words === '--version')).toHaveLength(1);
});

// One with a nix.conf that includes itself.
test('a Nix that crashes over its settings has refused them', async () => {
  using rig = configureRig();
  const { path } = fakeNix(
    rig,
    `[ "$NIX_CONF_DIR" = '${rig.systemPaths.etcNix}' ] && kill -SEGV $$; echo "nix (Nix) 2.31.0"`,
  );
  expect(await found(rig, { PATH: path })).toMatchObject({
    version: '2.31.0',
    refused: { whose: 'all' },
  });
});

test('a Nix that does not run is bad, whatever its settings are', async () => {
  using rig = configureRig();
  const { path } = fakeNix(rig, 'echo "cannot open shared object file" >&2; exit 127');
  const findings = await rig.doctor({ PATH: path });
  expect(findings.find(({ name }) => name === 'nix')).toMatchObject({
    kind: 'bad',
    why: 'cannot open shared object file',
  });
});
