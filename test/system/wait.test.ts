import { expect, test } from 'vitest';
import { until } from '../../src/system/time/wait.ts';
import { FakeClock } from '../fakes/fake-clock.ts';

test('the time that a look takes counts', async () => {
  const clock = new FakeClock();
  let looks = 0;
  const look = async () => {
    looks++;
    await clock.sleep(2_000);
    return false;
  };
  const waited = until(look, { clock, everyMs: 50, timeoutMs: 5_000 });
  await clock.advance(20_000);
  expect(await waited).toBe('timed-out');
  expect(looks).toBe(3);
});
