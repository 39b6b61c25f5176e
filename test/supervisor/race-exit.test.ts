import { expect, test } from 'vitest';
import { raceWithExit } from '../../src/supervisor/children/race-exit.ts';
import type { ExitStatus } from '../../src/system/process/child.ts';
import { Failed, type Failure } from '../../src/system/failure.ts';
import { FakeClock } from '../fakes/fake-clock.ts';

const failure: Failure = { kind: 'vm-exited', message: 'It ended.', hint: 'h', exit: 70 };

/** A child that ends when it is told to, and how often somebody asked what that means. */
function child() {
  let end = () => undefined as unknown;
  const ended = new Promise<ExitStatus>((resolve) => {
    end = () => resolve({ kind: 'exited', code: 1 });
  });
  const asked: ExitStatus[] = [];
  const meaning = (how: ExitStatus) => {
    asked.push(how);
    return failure;
  };
  const { signal } = new AbortController();
  const clock = new FakeClock();
  return { asked, clock, end: () => end(), of: { ended, meaning, clock, signal } };
}

test('the work that is done is the result, and what the child does later means nothing to it', async () => {
  const { of, end, asked } = child();
  expect(await raceWithExit(() => Promise.resolve(7), of)).toBe(7);
  end();
  await of.ended;
  await Promise.resolve();
  expect(asked).toEqual([]);
});

test('an end under the work ends it, and is the reason', async () => {
  const { of, end, asked } = child();
  const work = (signal: AbortSignal) =>
    new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(new Error('cancelled')));
    });
  const done = raceWithExit(work, of);
  end();
  await expect(done).rejects.toEqual(new Failed(failure));
  expect(asked).toHaveLength(1);
});

test('so is one that is known only a moment after the work has noticed it', async () => {
  const { of, end } = child();
  const done = raceWithExit(() => Promise.reject(new Error('hung up')), of);
  end();
  await expect(done).rejects.toEqual(new Failed(failure));
});

test('what goes wrong while the child lives is told as it is', async () => {
  const { of, clock } = child();
  const done = raceWithExit(() => Promise.reject(new Error('hung up')), of);
  const told = expect(done).rejects.toThrow('hung up');
  await clock.advance(200);
  await told;
});
