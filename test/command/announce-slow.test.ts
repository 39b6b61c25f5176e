import { describe, expect, test } from 'vitest';
import { movesCursor, type CliContext } from '../../src/command/context.ts';
import { saying } from '../../src/command/announce-slow.ts';
import { progressView } from '../../src/command/progress.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { plainly } from '../../src/system/advice.ts';

function world(env: NodeJS.ProcessEnv = {}, isTTY = false) {
  const clock = new FakeClock();
  const said: string[] = [];
  const context: CliContext = {
    env,
    home: '/',
    assets: '/',
    isTTY,
    clock,
    out: () => undefined,
    onStopSignal: () => undefined,
    exit: () => undefined,
    err: (line) => said.push(plainly(line)),
    signal: new AbortController().signal,
  };
  return { clock, said, context };
}

describe('who waits', () => {
  test('is told after a second, once, what for', async () => {
    const { clock, said, context } = world();
    let finish: (value: number) => void = () => undefined;
    const work = new Promise<number>((resolve) => (finish = resolve));
    const done = saying('Waiting for it.', context, () => work);
    await clock.advance(999);
    expect(said).toEqual([]);
    await clock.advance(60_000);
    expect(said).toEqual(['Waiting for it.']);
    finish(7);
    expect(await done).toBe(7);
  });

  test.each([
    ['is done', () => Promise.resolve(1)],
    ['fails', () => Promise.reject(new Error('no'))],
  ])('is told nothing when it %s at once, and nothing is left', async (_, work) => {
    const { clock, said, context } = world();
    await saying('Waiting for it.', context, work).catch(() => 0);
    expect(clock.pending).toBe(0);
    await clock.advance(2_000);
    expect(said).toEqual([]);
  });
});

describe('a terminal', () => {
  test.each([
    [true, 'xterm', true],
    [true, 'dumb', false],
    [false, 'xterm', false],
  ])('that is one (%s) and a %s is drawn on: %s', (isTTY, TERM, is) =>
    expect(movesCursor({ isTTY, env: { TERM } })).toBe(is),
  );

  test('that is dumb gets lines for a download', async () => {
    const { said, context } = world({ TERM: 'dumb' }, true);
    const view = await progressView(context);
    view.show({ name: 'x.deb', bytes: 1048576, totalBytes: 1048576, bytesPerSecond: 1048576 });
    view.end();
    expect(said).toEqual(['Fetching: 1.0 of 1.0 MiB, 1.0 MiB/s, x.deb']);
  });
});
