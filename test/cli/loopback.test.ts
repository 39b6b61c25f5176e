/** A machine that cannot connect to itself, as a container without a network: the loopback interface of a new network namespace is down. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, afterEach, describe, expect, test } from 'vitest';
import { layoutOf } from '../../src/config/layout.ts';
import { readIfThere } from '../../src/system/files/files.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { until } from '../../src/system/time/wait.ts';
import { buildProgram, type BuiltProgram } from '../fakes/program.ts';
import { reapAfterUs } from '../rig/reaper.ts';
import { needs, type Need } from '../needs.ts';
import { removeTree } from '../remove-tree.ts';

const isolated = ['--map-root-user', '--net', '--kill-child'];
const isolation: Need = {
  what: 'a network namespace of its own',
  isMet: spawnSync('unshare', [...isolated, 'true']).status === 0,
};

/** What follows is run where the loopback interface is up and drops all. */
const walled = 'ip link set lo up; tc qdisc add dev lo root handle 1: blackhole; exec "$@"';
const wall: Need = {
  what: 'a loopback interface that drops all',
  isMet: spawnSync('unshare', [...isolated, 'sh', '-ec', walled, 'sh', 'true']).status === 0,
};

let program: BuiltProgram;
let dir = '';
beforeAll(async () => {
  program = await buildProgram();
});
afterAll(() => program[Symbol.dispose]());
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'lo-'));
  reapAfterUs(dir);
  for (const name of ['home', 'tree/etc/nix']) mkdirSync(join(dir, name), { recursive: true });
});
afterEach(() => removeTree(dir));

const state = () => join(dir, 's');
const env = () => ({
  PATH: process.env['PATH'],
  HOME: join(dir, 'home'),
  LINUXKIT_BUILDER_TREE: join(dir, 'tree'),
});
const words = (...argv: readonly string[]) => [
  ...isolated,
  process.execPath,
  program.main,
  ...argv,
  '-d',
  state(),
];
const run = (...argv: readonly string[]) =>
  spawnSync('unshare', words(...argv), { env: env(), encoding: 'utf8' });

// Behaviour 49: If the loopback interface is down, as in a container without a network, `configure`, `doctor`,
// `start` and the daemon say so, and show the command that brings it up.
describe('without a loopback interface', needs(isolation), () => {
  test('configure warns, and doctor has a check for it', () => {
    const configured = run('configure', '--no-root', '-q');
    expect(configured.status, configured.stderr).toBe(0);
    expect(configured.stderr).toContain('ip link set lo up');
    const { findings } = JSON.parse(run('doctor', '--json').stdout) as {
      findings: readonly { readonly name: string; readonly kind: string }[];
    };
    expect(findings).toContainEqual(
      expect.objectContaining({ name: 'loopback', kind: 'bad', code: 'loopback-unreachable' }),
    );
  });

  test('a door that is a socket needs none', () => {
    const configured = run('configure', '--no-root', '-q', '--door', 'unix');
    expect(configured.stderr).not.toContain('ip link set lo up');
  });

  test('start says so, although the daemon lives', () => {
    expect(run('configure', '--no-root', '-q').status).toBe(0);
    const script = '"$0" "$1" start -d "$2"; "$0" "$1" stop --now -d "$2"';
    const argv = [...isolated, 'sh', '-c', script, process.execPath, program.main, state()];
    const { stdout, stderr } = spawnSync('unshare', argv, { env: env(), encoding: 'utf8' });
    expect(stdout).toMatch(/^Started the daemon .*\nStopped\.\n$/);
    expect(stderr).toContain('ip link set lo up');
  });

  test('the daemon says so, and tries again', async () => {
    expect(run('configure', '--no-root', '-q').status).toBe(0);
    const daemon = spawn('unshare', words('daemon'), { env: env(), stdio: 'ignore' });
    try {
      const told = () =>
        readIfThere(layoutOf(state()).status)?.includes('"loopback-down"') === true;
      const wait = { clock: systemClock, everyMs: 20, timeoutMs: 100_000 };
      expect(await until(told, wait)).toBe('held');
      daemon.kill('SIGTERM');
    } finally {
      daemon.kill('SIGKILL');
      await once(daemon, 'close');
    }
  });
});

test(
  'where a firewall drops what this machine sends to itself, doctor says so',
  needs(wall),
  () => {
    expect(run('configure', '--no-root', '-q').status).toBe(0);
    const argv = [process.execPath, program.main, 'doctor', '--json', '-d', state()];
    const { stdout } = spawnSync('unshare', [...isolated, 'sh', '-ec', walled, 'sh', ...argv], {
      env: env(),
      encoding: 'utf8',
    });
    const { findings } = JSON.parse(stdout) as { findings: readonly object[] };
    expect(findings).toContainEqual(
      expect.objectContaining({
        name: 'loopback',
        kind: 'bad',
        what: expect.stringContaining('firewall') as string,
      }),
    );
  },
);
