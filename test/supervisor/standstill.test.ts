import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { layoutOf } from '../../src/config/layout.ts';
import { Standstill } from '../../src/supervisor/standstill.ts';
import { AwakeClock } from '../../src/system/awake.ts';
import type { Machine } from '../../src/vm/driver.ts';
import { FakeClock } from '../fakes/fake-clock.ts';

let dir = '';
let clock: FakeClock;
let awake: AwakeClock;
let told: string[];
let end: AbortController;
let machine: Pick<Machine, 'resume'> | undefined;
let setTime: () => Promise<void>;
let standstill: Standstill;
beforeEach(() => {
  // A disk with room: a VM that was paused for want of it may go on at once.
  dir = mkdtempSync(join(tmpdir(), 'still-'));
  clock = new FakeClock();
  awake = new AwakeClock(clock);
  told = [];
  end = new AbortController();
  machine = undefined;
  setTime = () => Promise.resolve();
  standstill = new Standstill({
    ...{ clock, awake, signal: end.signal, layout: layoutOf(dir), log: () => undefined },
    agent: { setTime: () => setTime() },
    machine: () => machine as Machine | undefined,
    vigil: () => ({ halt: () => told.push('halt'), resume: () => told.push('resume') }),
    tell: ({ type }) => void told.push(type),
  });
});
afterEach(() => {
  end.abort();
  rmSync(dir, { recursive: true });
});

/** Whether the time that a boot has goes on. */
async function passes(): Promise<boolean> {
  let passed = false;
  awake.after(1_000, () => (passed = true));
  await clock.advance(10_000);
  return passed;
}

test.each(['unknown', 'paused', 'prelaunch'] as const)(
  '%s uses up the time that it has',
  async (why) => {
    standstill.onPaused(why);
    expect(told).toEqual(['vm-paused']);
    expect(await passes()).toBe(true);
  },
);

// Behaviour 69: Each state that QEMU can be in has its sentence and its treatment: one that is held or being saved
// is waited for, one that was halted and forgotten or cannot go on is begun anew.
test('one that a debugger holds has all the time, and is left alone', async () => {
  let asked = 0;
  machine = {
    resume: () => {
      asked++;
      return Promise.resolve();
    },
  };
  standstill.onPaused('debug');
  expect(told).toEqual(['vm-paused', 'halt']);
  expect(await passes()).toBe(false);
  expect(asked).toBe(0);
});

test('one whose host has no room has all the time, and is told to go on until it hears', async () => {
  let asked = 0;
  machine = { resume: () => (++asked < 3 ? Promise.reject(new Error('deaf')) : Promise.resolve()) };
  standstill.onPaused('disk-full');
  expect(told).toEqual(['vm-paused', 'halt']);
  expect(await passes()).toBe(false);
  await clock.advance(60_000);
  expect(asked).toBe(3);
});

test('one that paused before its control channel was ours is told as soon as it is', async () => {
  standstill.onPaused('disk-full');
  await clock.advance(7_000);
  let asked = 0;
  machine = { resume: () => (asked++, Promise.resolve()) };
  await clock.advance(7_000);
  expect(asked).toBe(1);
});

test('a guest that goes on has its clock set before anybody hears of it', async () => {
  let tries = 0;
  setTime = () => (++tries < 3 ? Promise.reject(new Error('not yet')) : Promise.resolve());
  standstill.onPaused('disk-full');
  standstill.onResumed();
  expect(told).not.toContain('vm-resumed');
  await clock.advance(0);
  expect(tries).toBe(3);
  expect(told).toEqual(['vm-paused', 'halt', 'resume', 'vm-resumed']);
});
