import { chmodSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { exampleNix } from '../../src/nix/example.ts';
import { machinesLine } from '../../src/nix/machines.ts';
import { withLine } from '../../src/host/root/root-lines.ts';
import { run, type CommandResult } from '../../src/system/process/child.ts';
import { needs } from '../needs.ts';
import { removeTree } from '../remove-tree.ts';

const system = process.arch === 'arm64' ? 'aarch64-linux' : 'x86_64-linux';
let tree: string;

beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), 'nix-'));
  for (const name of ['bin', 'conf', 'var']) mkdirSync(join(tree, name));
  writeFileSync(join(tree, 'example.nix'), exampleNix(system));
  writeFileSync(
    join(tree, 'conf/nix.conf'),
    'build-users-group =\nsandbox = false\nsubstituters =\n',
  );
  // Stands in for ssh: keeps what Nix asked it for, and cannot connect.
  const ssh = join(tree, 'bin/ssh');
  writeFileSync(
    ssh,
    `#!/bin/sh\necho "$@" > ${tree}/ssh-argv
for word; do case "$word" in -oUserKnownHostsFile=*) cat "\${word#*=}" > ${tree}/known;; esac; done\nexit 255\n`,
  );
  chmodSync(ssh, 0o755);
});
afterEach(() => removeTree(tree));

/** A Nix with a store, a state and a configuration of its own. */
const nixBuild = (...options: string[]): Promise<CommandResult> =>
  run('nix-build', ['--no-out-link', ...options, join(tree, 'example.nix')], {
    timeoutMs: 15_000,
    env: {
      PATH: `${join(tree, 'bin')}:${process.env['PATH'] ?? ''}`,
      HOME: tree,
      NIX_CONF_DIR: join(tree, 'conf'),
      NIX_STORE_DIR: join(tree, 'store'),
      NIX_STATE_DIR: join(tree, 'var'),
      NIX_LOG_DIR: join(tree, 'log'),
    },
  });

const line = machinesLine({
  system,
  maxJobs: 4,
  features: ['big-parallel', 'linuxkit-builder'],
  hostPublicKey: 'ssh-ed25519 AAAAC3Nz',
});

describe('the real Nix', needs({ programs: ['nix-build'] }), () => {
  test("reads our line among others', and asks ssh for our alias with our key", async () => {
    const others = '# a comment\r\nssh://other.example foo-linux';
    const list = join(tree, 'list');
    writeFileSync(list, `${line}\n`);
    const taken = withLine(others, { line: `@${list}`, position: 'last' });
    writeFileSync(join(tree, 'conf/machines'), taken);
    const { stderr } = await nixBuild();
    expect(stderr).not.toContain('bad machine specification');
    expect(stderr).toContain("cannot build on 'ssh-ng://builder@nix-linuxkit'");
    expect(readFileSync(join(tree, 'ssh-argv'), 'utf8')).toMatch(/^builder@nix-linuxkit /);
    expect(readFileSync(join(tree, 'known'), 'utf8')).toBe('nix-linuxkit ssh-ed25519 AAAAC3Nz\n');
  });

  test('builds the example nowhere but where its feature is', async () => {
    expect((await nixBuild('--option', 'builders', '')).stderr).toContain('linuxkit-builder');
    const feature = ['--option', 'builders', '', '--option', 'system-features', 'linuxkit-builder'];
    const built = await nixBuild(...feature);
    expect(built.ended).toEqual({ kind: 'exited', code: 0 });
    const kernel = readFileSync('/proc/version', 'utf8');
    expect(readFileSync(built.stdout.trim(), 'utf8').trim()).toBe(kernel.trim());
  });
});
