import { mkdtempSync, existsSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { endLeftover, type Leftover } from '../../src/supervisor/leftovers.ts';
import { launch, type Child } from '../../src/system/child.ts';
import { systemClock, type Clock } from '../../src/system/clock.ts';
import { isLocked } from '../../src/system/lock.ts';
import { silent } from '../../src/system/log.ts';
import { writePid } from '../../src/system/pidfile.ts';
import { identify } from '../../src/system/process.ts';

/** A hundred times as fast: sixteen seconds of patience are a sixth of one here. */
const hasty: Clock = {
  now: () => systemClock.now() * 100,
  monotonic: () => systemClock.monotonic() * 100,
  sleep: (ms, ended) => systemClock.sleep(ms / 100, ended),
  after: (ms, fn) => systemClock.after(ms / 100, fn),
};
let dir = '';
let child: Child;
const at = (name: string) => join(dir, name);
const signal = new AbortController().signal;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'left-'));
  const what = { program: '/bin/sleep', argv: ['1000'], env: {}, cwd: dir };
  const begun = await launch(what, { output: at('out'), lock: at('vm.lock') }, systemClock);
  if ('kind' in begun) throw new Error(begun.reason);
  child = begun;
  while (identify(child.pid)?.program !== 'sleep') await systemClock.sleep(2);
});
afterEach(async () => {
  await child.stop(0);
  rmSync(dir, { recursive: true, force: true });
});

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

// Behaviour 3: A pidfile is believed when pid, start time, boot and program all match; a stranger with the same pid is
// never touched.
test('a stranger that has the recorded pid now is not touched', async () => {
  // The record is of another start of that pid; the lock is free.
  writeFileSync(at('vm.json'), JSON.stringify({ ...identify(child.pid), started: '1' }));
  await endLeftover(leftover({ lock: at('free.lock') }), hasty, signal, silent);
  expect(identify(child.pid)?.program).toBe('sleep');
  expect(existsSync(at('vm.json'))).toBe(false);
  expect(isLocked(at('vm.lock'))).toBe(true);
});
