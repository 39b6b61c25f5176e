/** What a daemon does whose guest is ready and whom nobody asks: counted, since what it costs is the machine's own affair. */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { afterEach, expect, test } from 'vitest';
import { settle, type FakeClock } from '../fakes/fake-clock.ts';
import { daemonIn } from '../model/daemon-in.ts';
import { World } from '../model/world.ts';

/** Calls that look at a file, and calls that open or read one. */
const looks = ['statSync', 'lstatSync', 'fstatSync', 'readlinkSync', 'realpathSync', 'accessSync'];
const reads = ['openSync', 'readSync', 'readFileSync', 'readdirSync', 'writeFileSync', 'writeSync'];

type Calls = Record<string, (...args: unknown[]) => unknown>;
const calls = fs as unknown as Calls;
const originals = Object.fromEntries([...looks, ...reads].map((name) => [name, calls[name]]));
afterEach(() => {
  Object.assign(calls, originals);
  syncBuiltinESMExports();
});

/** Counts from now on; each call does what it did. */
function counted() {
  const count = { looks: 0, reads: 0 };
  for (const [name, original] of Object.entries(originals)) {
    const kind = looks.includes(name) ? 'looks' : 'reads';
    calls[name] = Object.assign((...args: unknown[]) => {
      count[kind]++;
      return original?.(...args);
    }, original);
  }
  syncBuiltinESMExports();
  return count;
}

// Behaviour 147: With a ready guest and no client, the daemon runs its checks every 5 s, and no other timer wakes it.
// Each round checks about ten files without opening any, and every third round asks the guest one question.
// Behaviour 148: Once a minute, and whenever the state directory has changed, the daemon checks which files are in it.
// On Linux, it reads `/proc/vmstat` every half minute.
test('a minute with a ready guest and nobody in it', { timeout: 60_000 }, async () => {
  await using world = await World.make();
  const { clock } = world;
  const { left, until, stop } = await daemonIn(world);
  try {
    // Until the guest was tidied, and all that is told once has been told.
    for (let n = 0; n < 180; n++) {
      await clock.advance(1_000);
      world.tick();
    }
    await settle(50);
    const idle = clock.pending;
    const { timers, looks, reads, seconds } = await spentIn(async () => {
      // No further than to the next timer: a question is answered at the time at which it was asked.
      await clock.advance(clock.due[0] ?? 0);
      // The answer comes by a real socket, and takes with it the time limit of its question.
      while (clock.pending > idle) await settle();
    }, clock);
    const rounds = Math.ceil(seconds / 5);
    // The next look, a limit for the question, and the two files that are followed.
    expect(timers).toBeLessThanOrEqual(4 * rounds);
    expect(looks).toBeLessThanOrEqual(12 * rounds);
    expect(reads).toBeLessThanOrEqual(rounds / 2);
  } finally {
    stop();
    await until('stopped');
    await left;
  }
});

/** What a minute takes that passes in such steps. */
async function spentIn(step: () => Promise<void>, clock: FakeClock) {
  const count = counted();
  const after = clock.after.bind(clock);
  let timers = 0;
  clock.after = (ms, fn) => {
    timers++;
    return after(ms, fn);
  };
  const begun = clock.monotonic();
  while (clock.monotonic() - begun < 60_000) await step();
  clock.after = after;
  return { ...count, timers, seconds: (clock.monotonic() - begun) / 1000 };
}
