import { describe, expect, test } from 'vitest';
import { AwakeClock, watchForSleep } from '../../src/system/time/awake.ts';
import { within } from '../../src/system/time/deadline.ts';
import { until } from '../../src/system/time/wait.ts';
import { Exit } from '../../src/system/failure.ts';
import { FakeClock } from '../fakes/fake-clock.ts';

// Behaviour 84: When the host wakes from sleep, the daemon notices within 6 s, and checks the guest's clock and
// health at once. All deadlines are extended by the length of the sleep, and the guest is not blamed for it.
describe('a sleep', () => {
  test('is told with its length as soon as a timer fires again', async () => {
    const clock = new FakeClock();
    const sleeps: number[] = [];
    const end = watchForSleep(
      clock,
      () => undefined,
      (ms) => sleeps.push(ms),
    );
    await clock.advance(60_000);
    expect(sleeps).toEqual([]);
    await clock.advance(1_000);
    await clock.jump(8 * 3600_000);
    expect(sleeps).toEqual([8 * 3600_000 - 4_000]);
    await clock.advance(60_000);
    expect(sleeps).toHaveLength(1);
    end();
    expect(clock.pending).toBe(0);
  });

  test('is seen where only the wall clock goes on', async () => {
    const clock = new FakeClock();
    const sleeps: number[] = [];
    watchForSleep(
      clock,
      () => undefined,
      (ms) => sleeps.push(ms),
    );
    clock.setWall(clock.now() + 7200_000);
    await clock.advance(5_000);
    expect(sleeps).toEqual([7200_000]);
  });

  test('a wall clock that is set back is none', async () => {
    const clock = new FakeClock();
    const sleeps: number[] = [];
    watchForSleep(
      clock,
      () => undefined,
      (ms) => sleeps.push(ms),
    );
    clock.setWall(clock.now() - 7200_000);
    await clock.advance(20_000);
    expect(sleeps).toEqual([]);
  });
});

describe('time awake', () => {
  test('a deadline is moved by the time that was slept', async () => {
    const clock = new FakeClock();
    let fired = false;
    new AwakeClock(clock).after(180_000, () => (fired = true));
    await clock.advance(100_000);
    await clock.jump(5 * 3600_000);
    expect(fired).toBe(false);
    await clock.advance(74_000);
    expect(fired).toBe(false);
    await clock.advance(6_100);
    expect(fired).toBe(true);
  });

  test('does not pass in a pause', async () => {
    const clock = new FakeClock();
    const awake = new AwakeClock(clock);
    let fired = false;
    awake.after(20_000, () => (fired = true));
    await clock.advance(10_000);
    awake.pause();
    await clock.advance(3600_000);
    awake.resume();
    await clock.advance(9_000);
    expect(fired).toBe(false);
    await clock.advance(6_000);
    expect(fired).toBe(true);
  });

  test('is what work has that must be over in time', async () => {
    const clock = new FakeClock();
    const late = () => ({ kind: 'late', message: 'late', hint: '', exit: Exit.temporary });
    const done = within(() => clock.sleep(3600_000 + 5_000), { clock, timeoutMs: 10_000, late });
    await clock.advance(1_000);
    await clock.jump(3600_000);
    await clock.advance(6_000);
    await done;
  });

  test('is what a fact is waited for', async () => {
    const clock = new FakeClock();
    let looks = 0;
    const waited = until(() => ++looks > 12, { clock, everyMs: 1_000, timeoutMs: 10_000 });
    await clock.jump(3600_000);
    await clock.advance(5_000);
    expect(looks).toBeGreaterThan(5);
    await clock.advance(20_000);
    expect(await waited).toBe('timed-out');
    expect(looks).toBe(11);
  });

  test('a wait can be cancelled, and leaves no timer', async () => {
    const clock = new FakeClock();
    const stop = new AbortController();
    const slept = new AwakeClock(clock).sleep(60_000, stop.signal);
    await clock.advance(12_000);
    stop.abort(new Error('enough'));
    await expect(slept).rejects.toThrow('enough');
    expect(clock.pending).toBe(0);
  });
});
