/** The disk's own lock, which VM programs take that are no children of ours. */
import { mkdtempSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { untilDiskIsFree } from '../../src/supervisor/disk/disk-free.ts';
import { failureOf } from '../../src/system/failure.ts';
import { isLocked, tryKernelLock } from '../../src/system/lock/lock.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { removeTree } from '../remove-tree.ts';

let dir = '';
let disk = '';
const clock = new FakeClock();
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'free-'));
  disk = join(dir, 'nix-disk');
  writeFileSync(disk, 'data');
});
afterEach(() => removeTree(dir));

function free(signal = new AbortController().signal) {
  const said: string[] = [];
  let over: 'free' | { kind: string } | undefined;
  const log = (_level: string, event: string) => said.push(event);
  const done = untilDiskIsFree(disk, { clock, signal, log }).then(
    () => (over = 'free'),
    (error: unknown) => (over = failureOf(error)),
  );
  return { said, done, over: () => over };
}

test('a disk that nobody has is free at once, and stays so', async () => {
  const { done, over, said } = free();
  await done;
  expect([over(), said]).toEqual(['free', []]);
  expect(isLocked(disk)).toBe(false);
});

test('one that is a link to another volume is looked at there', async () => {
  renameSync(disk, join(dir, 'elsewhere'));
  symlinkSync(join(dir, 'elsewhere'), disk);
  const lock = tryKernelLock(join(dir, 'elsewhere'));
  const { over, said, done } = free();
  await clock.advance(1_000);
  expect([over(), said]).toEqual([undefined, ['disk-locked']]);
  lock?.release();
  await clock.advance(1_000);
  await done;
  expect(over()).toBe('free');
});

// Behaviour 7: A disk that another process has locked is never given to a VM program. Each attempt to start the guest
// waits up to 20 s for the disk to be unlocked.
test('one whose holder goes is waited for', async () => {
  const lock = tryKernelLock(disk);
  const { over, said, done } = free();
  await clock.advance(5_000);
  expect([over(), said]).toEqual([undefined, ['disk-locked']]);
  lock?.release();
  await clock.advance(1_000);
  await done;
  expect(over()).toBe('free');
});

test('one whose holder stays is a failure that is tried again, and waiting ends when it is told to', async () => {
  const lock = tryKernelLock(disk);
  const { over, done } = free();
  await clock.advance(25_000);
  await done;
  expect(over()).toMatchObject({ kind: 'disk-locked' });
  const stop = new AbortController();
  const second = free(stop.signal);
  stop.abort(new Error('stopped'));
  await clock.advance(1_000);
  await second.done;
  expect(second.over()).not.toMatchObject({ kind: 'disk-locked' });
  lock?.release();
});
