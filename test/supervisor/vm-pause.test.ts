import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { layoutOf } from '../../src/config/layout.ts';
import { VmPause } from '../../src/supervisor/disk/vm-pause.ts';
import { AwakeClock } from '../../src/system/time/awake.ts';
import type { VmControl } from '../../src/vm/vm-driver.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { removeTree } from '../remove-tree.ts';

let dir = '';
let clock: FakeClock;
let awake: AwakeClock;
let told: string[];
let end: AbortController;
let machine: Pick<VmControl, 'resume'> | undefined;
let setTime: () => Promise<void>;
let vmPause: VmPause;
beforeEach(() => {
  // A disk with room: a VM that was paused for want of it may go on at once.
  dir = mkdtempSync(join(tmpdir(), 'still-'));
  clock = new FakeClock();
  awake = new AwakeClock(clock);
  told = [];
  end = new AbortController();
  machine = undefined;
  setTime = () => Promise.resolve();
  vmPause = new VmPause({
    clock,
    awake,
    signal: end.signal,
    layout: layoutOf(dir),
    log: () => undefined,
    agent: { setTime: () => setTime() },
    machine: () => machine as VmControl | undefined,
    monitor: () => ({ halt: () => told.push('halt'), resume: () => told.push('resume') }),
    tell: (event) =>
      void told.push(event.type === 'vm-paused' ? `${event.type}: ${event.why}` : event.type),
  });
});
afterEach(() => {
  end.abort();
  removeTree(dir);
});

/** Time passes until that is so; writes to the disk take their own. */
const untilAsked = (isSo: () => boolean) =>
  vi.waitUntil(
    async () => {
      await clock.advance(1_000);
      return isSo();
    },
    { timeout: 200_000, interval: 1 },
  );

/** Whether the time that a boot has goes on. */
async function passes(): Promise<boolean> {
  let passed = false;
  awake.after(1_000, () => (passed = true));
  await clock.advance(10_000);
  return passed;
}

test('one that does not say why uses up the time that it has', async () => {
  vmPause.onPaused('unknown');
  expect(told).toEqual(['vm-paused: unknown']);
  expect(await passes()).toBe(true);
});

// Behaviour 94: Each run state of QEMU has a message and a response of its own. The daemon waits while the VM is
// paused, halted or being saved, and restarts a VM that cannot continue.
test.each(['debug', 'paused', 'prelaunch', 'preconfig', 'finish-migrate'] as const)(
  '%s has all the time, and is left alone',
  async (why) => {
    let asked = 0;
    machine = {
      resume: () => {
        asked++;
        return Promise.resolve();
      },
    };
    vmPause.onPaused(why);
    expect(told).toEqual([`vm-paused: ${why}`, 'halt']);
    expect(await passes()).toBe(false);
    expect(asked).toBe(0);
  },
);

test('one whose host has no room has all the time, and is told to go on until it hears', async () => {
  let asked = 0;
  machine = { resume: () => (++asked < 3 ? Promise.reject(new Error('deaf')) : Promise.resolve()) };
  vmPause.onPaused('disk-full');
  expect(told).toEqual(['vm-paused: disk-full', 'halt']);
  expect(await passes()).toBe(false);
  await untilAsked(() => asked === 3);
});

test('one that paused before its control channel was ours is told as soon as it is', async () => {
  vmPause.onPaused('disk-full');
  await clock.advance(7_000);
  let asked = 0;
  machine = { resume: () => (asked++, Promise.resolve()) };
  await untilAsked(() => asked === 1);
});

test('a guest that goes on has its clock set before anybody hears of it', async () => {
  let tries = 0;
  setTime = () => (++tries < 3 ? Promise.reject(new Error('not yet')) : Promise.resolve());
  vmPause.onPaused('disk-full');
  vmPause.onResumed();
  expect(told).not.toContain('vm-resumed');
  await clock.advance(0);
  expect(tries).toBe(3);
  expect(told).toEqual(['vm-paused: disk-full', 'halt', 'resume', 'vm-resumed']);
});

test('one that pauses again before its clock is set is not told of as back', async () => {
  let fail: (error: Error) => void = () => undefined;
  setTime = () => new Promise((_, reject) => (fail = reject));
  vmPause.onPaused('io-error');
  vmPause.onResumed();
  vmPause.onPaused('io-error');
  setTime = () => Promise.resolve();
  fail(new Error('the guest stands still'));
  await clock.advance(0);
  expect(told).not.toContain('vm-resumed');
});

test('a guest that we halt for a file is halted by nobody; what befalls it meanwhile is told, and so is its going on', async () => {
  vmPause.expect(true);
  for (const why of ['paused', 'finish-migrate', 'postmigrate', 'inmigrate'] as const)
    vmPause.onPaused(why);
  vmPause.onResumed();
  expect([told, vmPause.wasPaused]).toEqual([['halt'], false]);
  vmPause.onPaused('io-error');
  // It is given up meanwhile, and the guest still stands still.
  vmPause.expect(false);
  expect(told).toEqual(['halt', 'resume', 'vm-paused: io-error', 'halt']);
  expect(vmPause.wasPaused).toBe(true);
  vmPause.onResumed();
  await clock.advance(0);
  expect(told.slice(4)).toEqual(['resume', 'vm-resumed']);
});
