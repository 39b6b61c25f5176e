/** A Linux whose first process is no systemd, as a container or a distribution with another init system: systemctl may be there all the same. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { needs, type Need } from '../needs.ts';
import { buildProgram, type BuiltProgram } from '../fakes/program.ts';
import { startsAtLogin } from '../../src/setup/configure/apply-plan.ts';
import { removeTree } from '../remove-tree.ts';

const isolated = ['--map-root-user', '--mount'];
const hidden = 'mount -t tmpfs none /run && exec "$@"';
const hiding: Need = {
  what: 'a /run of its own, with Node outside it',
  isMet:
    spawnSync('unshare', [...isolated, 'sh', '-c', hidden, 'sh', 'true']).status === 0 &&
    !process.execPath.startsWith('/run/'),
};

describe('without systemd', needs(hiding), () => {
  let program: BuiltProgram;
  let dir = '';
  beforeAll(async () => {
    program = await buildProgram();
    dir = mkdtempSync(join(tmpdir(), 'init-'));
    for (const name of ['home', 'bin', 'tree/etc/nix'])
      mkdirSync(join(dir, name), { recursive: true });
    const systemctl = `#!/bin/sh\n: >'${join(dir, 'called')}'\necho 'Failed to connect to bus' >&2\nexit 1\n`;
    writeFileSync(join(dir, 'bin/systemctl'), systemctl, { mode: 0o755 });
  });
  afterAll(() => {
    program[Symbol.dispose]();
    removeTree(dir);
  });

  function run(...argv: readonly string[]) {
    const env = {
      PATH: `${join(dir, 'bin')}:${process.env['PATH'] ?? ''}`,
      HOME: join(dir, 'home'),
      LINUXKIT_BUILDER_TREE: join(dir, 'tree'),
    };
    const words = [process.execPath, program.main, ...argv, '-d', join(dir, 's')];
    return spawnSync('unshare', [...isolated, 'sh', '-c', hidden, 'sh', ...words], {
      env,
      encoding: 'utf8',
    });
  }

  // Behaviour 201: On a Linux system without systemd, `configure --autostart` and `doctor` warn that nothing will
  // start the daemon. systemctl is not called.
  test('configure and doctor say that nothing starts the daemon', () => {
    const configured = run('configure', '--no-root', '--autostart');
    expect(configured.status, configured.stderr).toBe(0);
    expect(configured.stderr).toContain('does not run systemd');
    expect(configured.stdout).not.toContain(startsAtLogin);
    const { findings } = JSON.parse(run('doctor', '--json').stdout) as {
      findings: readonly { readonly name: string; readonly code?: string }[];
    };
    expect(findings.find(({ name }) => name === 'login job')?.code).toBe('no-systemd');
    expect(existsSync(join(dir, 'called'))).toBe(false);
  });
});
