import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { failureOf } from '../../src/system/failure.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { withOperationLock, isLocked, tryKernelLock } from '../../src/system/lock/lock.ts';
import { lockHolders } from '../../src/system/lock/lock-holder.ts';
import { makeProgram, outcome, runProgram } from '../rig/other-process.ts';
import { removeTree } from '../remove-tree.ts';

let dir = '';
let file = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'lock-'));
  file = join(dir, 'l');
});
afterEach(() => removeTree(dir));

function failingWith(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return failureOf(error);
  }
  return undefined;
}

describe('the kernel lock', () => {
  test('has one holder', () => {
    const lock = tryKernelLock(file);
    expect(lock).toBeDefined();
    expect(tryKernelLock(file)).toBeUndefined();
    lock?.release();
    const again = tryKernelLock(file);
    expect(again).toBeDefined();
    again?.release();
  });

  test('knows whether its path still leads to it', () => {
    const lock = tryKernelLock(file);
    expect(lock?.isInPlace()).toBe(true);
    renameSync(dir, `${dir}-away`);
    expect(lock?.isInPlace()).toBe(false);
    mkdirSync(dir);
    const another = tryKernelLock(file);
    expect(another?.isInPlace()).toBe(true);
    expect(lock?.isInPlace()).toBe(false);
    removeTree(dir);
    renameSync(`${dir}-away`, dir);
    expect(lock?.isInPlace()).toBe(true);
    another?.release();
    lock?.release();
  });

  test.each(['a file', 'nothing'])('is on no file to which a link leads: %s', (what) => {
    const other = join(dir, 'other');
    if (what === 'a file') writeFileSync(other, 'theirs');
    symlinkSync(other, file);
    for (const ask of [tryKernelLock, isLocked])
      expect(failingWith(() => ask(file))).toMatchObject({ kind: 'cannot-write', exit: 77 });
    expect(existsSync(other)).toBe(what === 'a file');
  });

  test('is not handed to children', () => {
    const lock = tryKernelLock(file);
    const child = spawn('sleep', ['60'], { stdio: 'ignore' });
    try {
      lock?.release();
      expect(isLocked(file)).toBe(false);
    } finally {
      child.kill('SIGKILL');
    }
  });

  test('is free at once when its holder is killed, and says who held it', async () => {
    // It waits for the lock: whoever looks whether a file is locked has it for a moment.
    const child = spawn('flock', ['-F', file, 'sleep', '60'], { stdio: 'ignore' });
    while (!isLocked(file)) await systemClock.sleep(5);
    expect(await lockHolders(file)).toEqual([child.pid]);
    child.kill('SIGKILL');
    await once(child, 'exit');
    while (isLocked(file)) await systemClock.sleep(1);
    expect(await lockHolders(file)).toEqual([]);
  });
});

// Behaviour 8: A start, `configure`, `unconfigure --purge` and `image build` never use the same files at the same
// time. If one of them is killed, the others are not blocked.
describe('the section', () => {
  // Reads and writes apart: without the section, sums get lost.
  const addOne = `
    import { readFileSync, writeFileSync } from 'node:fs';
    import { withOperationLock } from '../../src/system/lock/lock.ts';
    import { systemClock } from '../../src/system/time/clock.ts';
    const [section, sum] = process.argv.slice(2);
    await withOperationLock(section, { clock: systemClock }, async () => {
      let n = 0;
      try { n = Number(readFileSync(sum, 'utf8')); } catch {}
      await systemClock.sleep(20);
      writeFileSync(sum, String(n + 1));
    });`;

  // A lock that is long stale is what proper-lockfile alone lets several of eight take over at once.
  test.each([
    ['nobody was there before', false],
    ['somebody was killed there an hour ago', true],
  ])('lets one in at a time, in many processes, where %s', async (_, isStale) => {
    const sum = join(dir, 'sum');
    if (isStale) {
      mkdirSync(`${file}.lock`);
      utimesSync(`${file}.lock`, Date.now() / 1000 - 3600, Date.now() / 1000 - 3600);
    }
    const program = await makeProgram(dir, addOne);
    const all = Array.from({ length: 8 }, () => outcome(runProgram(program, [file, sum])));
    for (const { code, said } of await Promise.all(all)) expect([code, said]).toEqual([0, '']);
    expect(readFileSync(sum, 'utf8')).toBe('8');
  });

  test('tells a holder that lost it, and does not crash', async () => {
    const told = await withOperationLock(
      file,
      { clock: systemClock, refreshMs: 1000 },
      async (lost) => {
        removeTree(`${file}.lock`);
        while (!lost.aborted) await systemClock.sleep(20);
        return 'told';
      },
    );
    expect(told).toBe('told');
  });

  test('says once that it waits, and can be left while waiting', async () => {
    const stop = new AbortController();
    let waits = 0;
    await withOperationLock(file, { clock: systemClock }, async () => {
      const second = withOperationLock(
        file,
        {
          clock: systemClock,
          signal: stop.signal,
          onWaiting: () => (waits++, stop.abort(new Error('left'))),
        },
        () => Promise.resolve(),
      );
      await expect(second).rejects.toThrow('left');
    });
    expect(waits).toBe(1);
  });

  test('is free after work that failed', async () => {
    await expect(
      withOperationLock(file, { clock: systemClock }, () => Promise.reject(new Error('no'))),
    ).rejects.toThrow('no');
    expect(await withOperationLock(file, { clock: systemClock }, () => Promise.resolve('in'))).toBe(
      'in',
    );
  });

  test('one whose holder was killed is free at once', async () => {
    mkdirSync(`${file}.lock`);
    expect(await withOperationLock(file, { clock: systemClock }, () => Promise.resolve('in'))).toBe(
      'in',
    );
  });
});
