import { describe, expect, test } from 'vitest';
import { FakeClock } from './fake-clock.ts';

describe('FakeClock', () => {
  test('fires in order of time, each seeing its own moment', async () => {
    const clock = new FakeClock(0);
    const seen: [string, number][] = [];
    clock.after(20, () => seen.push(['b', clock.now()]));
    clock.after(10, () => {
      seen.push(['a', clock.now()]);
      clock.after(5, () => seen.push(['a2', clock.now()]));
    });
    clock.after(31, () => seen.push(['late', clock.now()]));
    await clock.advance(30);
    expect(seen).toEqual([
      ['a', 10],
      ['a2', 15],
      ['b', 20],
    ]);
    expect(clock.due).toEqual([1]);
  });

  test('a loop of sleeps runs as often as it would', async () => {
    const clock = new FakeClock();
    let rounds = 0;
    const stop = new AbortController();
    const loop = (async () => {
      for (;;) {
        await clock.sleep(100, stop.signal);
        rounds += 1;
      }
    })();
    await clock.advance(1000);
    expect(rounds).toBe(10);
    stop.abort(new Error('enough'));
    await expect(loop).rejects.toThrow('enough');
    expect(clock.pending).toBe(0);
  });

  test('cancelled timers do not fire', async () => {
    const clock = new FakeClock();
    let fired = false;
    clock.after(1, () => (fired = true))();
    await clock.advance(10);
    expect(fired).toBe(false);
  });

  test('waiting() tells when somebody sleeps', async () => {
    const clock = new FakeClock();
    const waiting = clock.waiting();
    void clock.sleep(5);
    await waiting;
    expect(clock.due).toEqual([5]);
  });
});
