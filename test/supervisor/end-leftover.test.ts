import { copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { endLeftover, isLeft, type Leftover } from '../../src/supervisor/stop/end-leftover.ts';
import { launch, type Child } from '../../src/system/process/child.ts';
import { systemClock, type Clock } from '../../src/system/time/clock.ts';
import { isLocked } from '../../src/system/lock/lock.ts';
import { silent } from '../../src/system/log.ts';
import { readLive, removePid, writePid } from '../../src/system/files/pidfile.ts';
import { identify } from '../../src/system/process/process.ts';
import { needs } from '../needs.ts';
import { removeTree } from '../remove-tree.ts';

/** Twenty times as fast: the five seconds that a process has to end are a quarter of one here, which a busy machine needs. */
const speed = 20;
const hasty: Clock = {
  now: () => systemClock.now() * speed,
  monotonic: () => systemClock.monotonic() * speed,
  sleep: (ms, ended) => systemClock.sleep(ms / speed, ended),
  after: (ms, fn) => systemClock.after(ms / speed, fn),
};
let dir = '';
let child: Child;
const at = (name: string) => join(dir, name);
const signal = new AbortController().signal;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'left-'));
  child = await begin('/bin/sleep', 'vm.lock');
});
afterEach(async () => {
  await child.stop(0);
  removeTree(dir);
});

/** A child that has a lock; resolves when it is its program. */
async function begin(program: string, lock: string, becomes = basename(program)): Promise<Child> {
  const what = { program, argv: ['1000'], env: {}, cwd: dir };
  const begun = await launch(what, { output: at('out'), lock: at(lock) }, systemClock);
  if ('kind' in begun) throw new Error(begun.reason);
  while (identify(begun.pid)?.program !== becomes) await systemClock.sleep(2);
  return begun;
}

const leftover = (changes: Partial<Leftover> = {}): Leftover => ({
  what: 'vm',
  lock: at('vm.lock'),
  pid: { plain: at('vm.pid'), record: at('vm.json') },
  program: 'sleep',
  stale: [at('socket')],
  askToEnd: () => Promise.reject(new Error('nobody answers')),
  ...changes,
});

test('a child that was left is ended and its traces are cleared', async () => {
  writePid(leftover().pid, child.pid, 'sleep');
  writeFileSync(at('socket'), '');
  await endLeftover(leftover(), hasty, signal, silent);
  expect(await child.ended).toEqual({ kind: 'signalled', signal: 'SIGTERM' });
  expect([at('vm.pid'), at('vm.json'), at('socket')].filter((path) => existsSync(path))).toEqual(
    [],
  );
});

test('one whose pid was never written is found by its lock', async () => {
  await endLeftover(leftover(), hasty, signal, silent);
  expect((await child.ended).kind).toBe('signalled');
});

test('it is asked first, and not killed when it obeys', async () => {
  const askToEnd = () => (child.signal('SIGUSR1'), Promise.resolve());
  await endLeftover(leftover({ askToEnd }), systemClock, signal, silent);
  expect(await child.ended).toEqual({ kind: 'signalled', signal: 'SIGUSR1' });
});

test('it is asked again when it did not hear', async () => {
  const quick: Clock = { ...systemClock, monotonic: () => systemClock.monotonic() * 5 };
  let times = 0;
  const askToEnd = () => {
    if (++times === 3) child.signal('SIGUSR1');
    // Whoever is about to end may be deaf already.
    return times === 2 ? Promise.reject(new Error('nobody answers')) : Promise.resolve();
  };
  await endLeftover(leftover({ askToEnd }), quick, signal, silent);
  expect(await child.ended).toEqual({ kind: 'signalled', signal: 'SIGUSR1' });
});

test('whoever is found by the lock is told to whom asks; a stranger is not', async () => {
  const asked: (number | undefined)[] = [];
  const askToEnd = (_: AbortSignal, pid: number | undefined) => {
    asked.push(pid);
    return Promise.reject(new Error('nobody answers'));
  };
  const stranger = leftover({ askToEnd, program: 'hyperkit' });
  await endLeftover(stranger, hasty, signal, silent).catch(() => undefined);
  await endLeftover(leftover({ askToEnd }), hasty, signal, silent);
  expect(asked).toEqual([undefined, child.pid]);
});

test('another program that holds the lock is not touched', async () => {
  const failure = await endLeftover(
    leftover({ program: 'qemu-system-x86_64' }),
    hasty,
    signal,
    silent,
  ).catch((e: unknown) => e);
  expect(failure).toMatchObject({ failure: { kind: 'leftover-stays' } });
  expect(identify(child.pid)?.program).toBe('sleep');
});

// Behaviour 4: A process counts as the one that a pidfile names only if its pid, its start time, its program and the
// boot of the host in which it was started match, and no other process is known to hold its lock. A process that merely
// has the same pid is never touched.
test('a stranger that has the recorded pid now is not touched', async () => {
  // The record is of another start of that pid; the lock is free.
  writeFileSync(at('vm.json'), JSON.stringify({ ...identify(child.pid), started: '1' }));
  await endLeftover(leftover({ lock: at('free.lock') }), hasty, signal, silent);
  expect(identify(child.pid)?.program).toBe('sleep');
  expect(existsSync(at('vm.json'))).toBe(false);
  expect(isLocked(at('vm.lock'))).toBe(true);
});

describe('a stranger of the same program that has the recorded pid and start', () => {
  let stranger: Child;
  beforeEach(async () => {
    stranger = await begin('/bin/sleep', 'another.lock');
    writePid(leftover().pid, stranger.pid, 'sleep');
  });
  afterEach(() => stranger.stop(0));

  test('is not touched when nobody has the lock', async () => {
    await endLeftover(leftover({ lock: at('free.lock') }), hasty, signal, silent);
    expect(identify(stranger.pid)?.program).toBe('sleep');
    expect(existsSync(at('vm.json'))).toBe(false);
  });

  test('is neither asked nor ended for the one that has it', async () => {
    const asked: unknown[] = [];
    const askToEnd = (_: AbortSignal, pid: number | undefined) => {
      asked.push(pid);
      return Promise.reject(new Error('deaf'));
    };
    await endLeftover(leftover({ askToEnd }), hasty, signal, silent);
    expect(asked).toEqual([child.pid]);
    expect(await child.ended).toEqual({ kind: 'signalled', signal: 'SIGTERM' });
    expect(identify(stranger.pid)?.program).toBe('sleep');
  });

  test('is not ended either when what has the lock is not ours', async () => {
    const asks = endLeftover(leftover({ program: 'vpnkit' }), hasty, signal, silent);
    await expect(asks).rejects.toMatchObject({ failure: { kind: 'leftover-stays' } });
    expect(identify(stranger.pid)?.program).toBe('sleep');
    expect(identify(child.pid)?.program).toBe('sleep');
  });
});

test('one that Nixpkgs wrapped is ours under the name that was started', async () => {
  await child.stop(0);
  copyFileSync('/bin/sleep', at('.qemu-system-x86_64-wrapped'));
  const wrapper = at('qemu-system-x86_64');
  writeFileSync(wrapper, `#!/bin/sh\nexec ${at('.qemu-system-x86_64-wrapped')} 1000\n`, {
    mode: 0o755,
  });
  child = await begin(wrapper, 'vm.lock', '.qemu-system-x86_64-wrapped');
  const left = leftover({ program: 'qemu-system-x86_64' });
  writePid(left.pid, child.pid, 'qemu-system-x86_64');
  expect(readLive(left.pid)?.pid).toBe(child.pid);
  // Also without its record.
  removePid(left.pid);
  await endLeftover(left, hasty, signal, silent);
  expect(await child.ended).toEqual({ kind: 'signalled', signal: 'SIGTERM' });
});

// Behaviour 6: The VM of a killed daemon is found and stopped even if any one of the VM's files has been deleted,
// including the lock file. No second VM is started beside it.
describe('a child that was left, and a cleaner', needs('Linux'), () => {
  test.each([
    ['its lock', ['vm.lock']],
    ['its record', ['vm.json']],
    ['its lock and its record', ['vm.lock', 'vm.json', 'vm.pid']],
  ])('is found without %s', async (_, taken) => {
    writePid(leftover().pid, child.pid, 'sleep');
    for (const name of taken) rmSync(at(name));
    expect(await isLeft(leftover())).toBe(true);
    await endLeftover(leftover(), hasty, signal, silent);
    expect(await child.ended).toEqual({ kind: 'signalled', signal: 'SIGTERM' });
    expect(await isLeft(leftover())).toBe(false);
  });

  test('is found although somebody holds the lock that was made since', async () => {
    rmSync(at('vm.lock'));
    const second = await begin('/bin/sleep', 'vm.lock');
    await endLeftover(leftover(), hasty, signal, silent);
    expect((await child.ended).kind).toBe('signalled');
    expect((await second.ended).kind).toBe('signalled');
  });

  test('one that runs nothing of ours is left alone', async () => {
    rmSync(at('vm.lock'));
    await endLeftover(leftover({ program: 'qemu' }), hasty, signal, silent);
    expect(identify(child.pid)?.program).toBe('sleep');
  });
});
