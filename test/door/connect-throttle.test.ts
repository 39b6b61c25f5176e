import { expect, test } from 'vitest';
import { ConnectThrottle } from '../../src/door/connect-throttle.ts';
import { FakeClock } from '../fakes/fake-clock.ts';

const holdMs = 100;

function crowd(count: number) {
  const clock = new FakeClock();
  const throttle = new ConnectThrottle(clock, holdMs);
  const inside: number[] = [];
  const refused: unknown[] = [];
  const leave: (() => void)[] = [];
  const scopes = Array.from({ length: count }, () => new AbortController());
  scopes.forEach(({ signal }, number) => {
    throttle.enter(signal).then(
      (through) => {
        inside.push(number);
        leave[number] = through;
      },
      (error: unknown) => refused.push(error),
    );
  });
  return { clock, inside, refused, leave: (number: number) => leave[number]?.(), scopes };
}

test('one at a time, in order of arrival, as soon as the one before is through', async () => {
  const { clock, inside, leave } = crowd(3);
  await clock.advance(0);
  expect(inside).toEqual([0]);
  leave(0);
  await clock.advance(0);
  expect(inside).toEqual([0, 1]);
  leave(1);
  leave(1);
  await clock.advance(0);
  expect(inside).toEqual([0, 1, 2]);
  leave(2);
  expect(clock.pending).toBe(0);
});

test('one who stands still keeps the next waiting no longer than the limit', async () => {
  const { clock, inside } = crowd(3);
  await clock.advance(holdMs - 1);
  expect(inside).toEqual([0]);
  await clock.advance(1);
  expect(inside).toEqual([0, 1]);
  await clock.advance(holdMs);
  expect(inside).toEqual([0, 1, 2]);
});

test('one who goes away while waiting keeps nobody, and is told the reason', async () => {
  const { clock, inside, leave, scopes, refused } = crowd(4);
  scopes[1]?.abort(new Error('it left'));
  scopes[2]?.abort(new Error('it left too'));
  await clock.advance(0);
  expect(refused).toEqual([new Error('it left'), new Error('it left too')]);
  leave(0);
  await clock.advance(0);
  expect(inside).toEqual([0, 3]);
});

test('one who is gone before the call does not enter', async () => {
  const clock = new FakeClock();
  const throttle = new ConnectThrottle(clock, holdMs);
  await expect(throttle.enter(AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone');
  (await throttle.enter(new AbortController().signal))();
  expect(clock.pending).toBe(0);
});
