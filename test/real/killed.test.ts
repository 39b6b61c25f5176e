import { readFileSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { identify, isAlive } from '../../src/system/process/process.ts';
import type { Status } from '../../src/supervisor/status/status-schema.ts';
import { fact } from './command.ts';
import { addMonitor } from './monitor.ts';
import { BuilderRig } from './rig.ts';
import { stopAtOnce } from './stop-at-once.ts';

// Behaviour 5: The next start finds, by their locks, the processes that a killed daemon left behind. It asks each one
// to exit, kills those that do not, and logs this; two processes never have the disk open at the same time.
test('a VM that was killed is started again; a VM whose daemon was killed is ended first', async (context) => {
  await using rig = await BuilderRig.create({ context });
  await rig.up();
  const first = vmOf(rig.status());

  process.kill(first, 'SIGKILL');
  const meanwhile = await rig.untilStatus('another VM', ({ vmPid }) => (vmPid ?? first) !== first);
  expect(meanwhile.phase).toBe('booting');
  expect(meanwhile.attempt).toBe(2);
  expect(meanwhile.last?.message).toContain('killed (SIGKILL)');
  expect((await rig.cli('status')).stdout).toContain('killed (SIGKILL)');
  await rig.reaches('ready');
  expect(rig.phases().slice(3)).toEqual([
    'stopping',
    'backing-off',
    'starting',
    'booting',
    'ready',
  ]);
  expect(rig.log('phase')[3]?.['failure']).toMatchObject({ kind: 'vm-killed' });
  expect((await rig.cli('ssh', '--', 'exit 5')).end).toBe(5);
  const second = vmOf(rig.status());

  const { daemon } = await rig.reaches('ready');
  process.kill(daemon.pid, 'SIGKILL');
  await fact('the daemon is gone', () => !isAlive(daemon));
  expect(identify(second)?.program).toMatch(/^qemu-system-/);
  expect(rig.console()).not.toContain('stage=stopped');
  const dead = await rig.cli('status');
  expect(dead.end).toBe(69);
  expect(dead.stdout).toContain("Its last known phase was 'ready'");

  const started = await rig.cli('start');
  expect(started.end).toBe(0);
  // Whenever VM programs have the disk open, it is one; the daemon and its flock look at it before they start one.
  const holders: number[] = [];
  await fact('ready again', () => {
    holders.push(holdersOf(rig.layout.disk).length);
    const status = rig.status();
    return status?.phase === 'ready' && status.vmPid !== second;
  });
  expect(Math.max(...holders)).toBe(1);
  expect(identify(second)).toBeUndefined();
  const since = rig.log().slice(rig.log().findLastIndex(({ event }) => event === 'daemon-started'));
  const events = since.map(({ event, name }) => (event === 'seen' ? name : event));
  expect(events.indexOf('leftover-found')).toBeGreaterThan(0);
  expect(events.indexOf('leftover-ended')).toBeGreaterThan(events.indexOf('leftover-found'));
  expect(events.indexOf('vm-started')).toBeGreaterThan(events.indexOf('leftover-ended'));
  expect(since.find(({ event }) => event === 'leftover-ended')?.['by']).toBe('asking');
  expect(
    rig
      .console()
      .split('=== boot ===')
      .map((boot) => boot.includes('stage=stopped')),
  ).toEqual([false, false, true, false]);

  expect((await rig.cli('stop')).stdout).toBe('Stopped.\n');
  await rig.leavesNothing();
});

test('`stop` without a daemon ends the VM that was left, in order', async (context) => {
  await using rig = await BuilderRig.create({ context });
  await rig.up();
  const { daemon } = await rig.reaches('ready');
  process.kill(daemon.pid, 'SIGKILL');
  await fact('the daemon is gone', () => !isAlive(daemon));
  expect((await rig.cli('stop')).stdout).toContain('that an earlier daemon had left behind');
  expect(textOf(rig.layout.consoleRing)).toContain('stage=stopped');
  expect((await rig.cli('stop')).stdout).toContain('not running');
});

test('a VM that was left paused is ended in order too', async (context) => {
  await using rig = await BuilderRig.create({ context });
  const qmp = addMonitor(rig);
  await rig.up();
  const { daemon } = await rig.reaches('ready');
  process.kill(daemon.pid, 'SIGKILL');
  await fact('the daemon is gone', () => !isAlive(daemon));
  await qmp('stop');
  expect((await rig.cli('stop')).stdout).toContain('that an earlier daemon had left behind');
  expect(textOf(rig.layout.consoleRing)).toContain('stage=stopped');
});

test('a VM that was left while it boots is asked until it hears', async (context) => {
  await using rig = await BuilderRig.create({ context });
  const daemon = rig.begin('daemon');
  await rig.reaches('booting');
  daemon.signal('SIGKILL');
  await daemon.ended;
  // On a busy machine the kernel alone takes as long as a guest is asked; its button is heard only at the end of the boot.
  await fact('the kernel runs', () => textOf(rig.layout.consoleRing).includes('stage=seed'));
  expect((await rig.cli('stop')).stdout).toContain('that an earlier daemon had left behind');
  expect(textOf(rig.layout.consoleRing)).toContain('stage=stopped');
});

test('strangers that have the pids of stale files are left alone', async (context) => {
  await using rig = await BuilderRig.create({ context });
  const strangers = [rig.run(['sleep', '600']), rig.run(['sleep', '600'])] as const;
  for (const [n, name] of (['daemon', 'qemu'] as const).entries()) {
    const identity = identify(strangers[n]?.pid ?? 0);
    // As a boot of the host or a wrap of its pids leaves them: the number is right and nothing else.
    const stale = {
      ...identity,
      started: '1',
      program: name === 'daemon' ? 'node' : 'qemu-system-x86_64',
    };
    writeFileSync(rig.layout.pidRecord(name), JSON.stringify(stale));
    writeFileSync(rig.layout.pid(name), `${stale.pid ?? ''}\n`);
  }
  expect((await rig.cli('stop')).stdout).toContain('not running');
  expect((await rig.cli('start')).end).toBe(0);
  await rig.reaches('booting');
  await stopAtOnce(rig);
  for (const { end, pid } of strangers) {
    expect(end).toBeUndefined();
    expect(identify(pid)?.program).toBe('sleep');
  }
});

const vmOf = (status: Status | undefined): number => {
  if (status?.vmPid === undefined) throw new Error('no VM in the status');
  return status.vmPid;
};

const textOf = (path: string) => readFileSync(path, 'utf8');

/** The VM programs that have that file open. */
function holdersOf(path: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return (
        /^\d+$/.test(pid) &&
        readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('qemu') &&
        readdirSync(`/proc/${pid}/fd`).some(
          (fd) => readlinkSync(join('/proc', pid, 'fd', fd)) === path,
        )
      );
    } catch {
      return false;
    }
  });
}
