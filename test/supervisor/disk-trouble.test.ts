import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { layoutOf } from '../../src/config/layout.ts';
import { shortageAt, type Shortage } from '../../src/supervisor/disk/disk-room.ts';
import { DiskTrouble } from '../../src/supervisor/disk/disk-trouble.ts';
import type { Failure } from '../../src/system/failure.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { removeTree } from '../remove-tree.ts';

let dir = '';
let clock: FakeClock;
let end: AbortController;
let shortage: Shortage | undefined;
let causes: Shortage[];
let lost: Failure[];
/** When it was told to go on, in ms. */
let resumed: number[];
let trouble: DiskTrouble;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'trouble-'));
  clock = new FakeClock();
  end = new AbortController();
  [shortage, causes, lost, resumed] = [undefined, [], [], []];
  trouble = new DiskTrouble({
    clock,
    signal: end.signal,
    layout: layoutOf(dir),
    log: () => undefined,
    resume: () => {
      resumed.push(clock.monotonic());
      trouble.resumed();
      return Promise.resolve();
    },
    onCause: (why) => causes.push(why),
    onLost: (failure) => lost.push(failure),
    shortage: () => Promise.resolve(shortage),
  });
});
afterEach(() => {
  end.abort();
  removeTree(dir);
});

/** It is paused for that, and so much time passes. */
async function pausedFor(why: 'disk-full' | 'io-error', ms: number): Promise<void> {
  void trouble.paused(why);
  await clock.advance(ms);
}

// Behaviour 90: With QEMU, an I/O error on the host's disk or an exhausted quota pauses the guest, too, and `status`
// shows the reason. With an exhausted quota, the guest waits until there is space. After an I/O error, the daemon lets
// the guest continue, up to three times in a row. If the error recurs within a minute of the third time, the guest is
// stopped and stays off, and the message names the file.
describe('a VM that was paused for its disk', () => {
  test('goes on by itself where the fault has passed', async () => {
    await pausedFor('io-error', 2_500);
    expect(resumed).toHaveLength(1);
    await clock.advance(600_000);
    expect({ resumed: resumed.length, lost }).toEqual({ resumed: 1, lost: [] });
  });

  test('is given up where it comes again at the third attempt', async () => {
    for (const ms of [3_000, 6_000, 16_000]) await pausedFor('io-error', ms);
    expect({ resumed: resumed.length, lost }).toEqual({ resumed: 3, lost: [] });
    await pausedFor('io-error', 0);
    expect(lost).toMatchObject([{ kind: 'host-disk-failed', exit: 74 }]);
    expect(lost[0]?.message).toContain(join(dir, 'nix-disk'));
    await clock.advance(600_000);
    expect(resumed).toHaveLength(3);
  });

  test('is not held to faults from before it ran well', async () => {
    for (let n = 0; n < 9; n++) await pausedFor('io-error', 100_000);
    expect({ resumed: resumed.length, lost }).toEqual({ resumed: 9, lost: [] });
  });

  test('waits for a quota, says so, and goes on when there is room', async () => {
    shortage = 'disk-quota';
    await pausedFor('io-error', 3_600_000);
    expect({ causes, resumed, lost }).toEqual({ causes: ['disk-quota'], resumed: [], lost: [] });
    shortage = undefined;
    await clock.advance(2_500);
    expect(resumed).toHaveLength(1);
  });

  test('does not spin where there looks to be room and is none', async () => {
    for (let n = 0; n < 10; n++) await pausedFor('disk-full', 10_000);
    const between = resumed.slice(1).map((at, n) => at - (resumed[n] ?? 0));
    expect(Math.min(...between)).toBeGreaterThanOrEqual(5_000);
  });

  test('is left alone once somebody has let it go on, and when its start is over', async () => {
    void trouble.paused('io-error');
    trouble.resumed();
    await clock.advance(60_000);
    void trouble.paused('io-error');
    end.abort();
    await clock.advance(60_000);
    expect(resumed).toEqual([]);
    expect(clock.pending).toBe(0);
  });
});

test('where there is room nothing is short, and nothing is left of the look', async () => {
  expect(await shortageAt(dir)).toBeUndefined();
  expect(existsSync(join(dir, '.room'))).toBe(false);
  expect(await shortageAt(join(dir, 'none'))).toBeUndefined();
});
