/** What a daemon loads late: before an upgrade takes it away, and without dying of it where that was quicker. */
import { expect, test } from 'vitest';
import type { CliContext } from '../../src/command/context.ts';
import { loadAndWatch } from '../../src/cli/daemon/background-tasks.ts';
import { layoutOf } from '../../src/config/layout.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { plainly } from '../../src/system/advice.ts';

function world() {
  const clock = new FakeClock();
  const said: string[] = [];
  const over = new AbortController();
  const context: CliContext = {
    env: {},
    home: '/',
    assets: '/',
    isTTY: false,
    clock,
    signal: over.signal,
    out: (line) => said.push(plainly(line)),
    err: (line) => said.push(plainly(line)),
    onStopSignal: () => undefined,
    exit: () => undefined,
  };
  return { clock, said, over, context, layout: layoutOf('/nonexistent') };
}

test('a part that an upgrade has taken away is told, and ends nothing', async () => {
  const { clock, said, over, context, layout } = world();
  const missing = new Error("Cannot find module './image-watch.js'\nRequire stack:\n- /main.js");
  const gone = () => Promise.reject(Object.assign(missing, { code: 'MODULE_NOT_FOUND' }));
  const done = loadAndWatch(layout, context, over.signal, gone);
  await clock.advance(5_000);
  await done;
  expect(said).toHaveLength(3);
  expect(said[1]?.trim()).toBe("Cannot find module './image-watch.js'");
});

test('all of it is loaded 5 s after the start, and used later', async () => {
  const { clock, said, over, context, layout } = world();
  let [loads, watches] = [0, 0];
  const load = () => {
    loads++;
    return Promise.resolve({
      watchOf: () => ({}) as never,
      watchImage: () => {
        watches++;
        return Promise.resolve();
      },
    });
  };
  const done = loadAndWatch(layout, context, over.signal, load);
  await clock.advance(4_999);
  expect(loads).toBe(0);
  await clock.advance(1);
  expect([loads, watches]).toEqual([1, 0]);
  await clock.advance(55_000);
  await done;
  expect([watches, said]).toEqual([1, []]);
});

test('is nothing to say where the daemon ends before', async () => {
  const { said, over, context, layout } = world();
  const done = loadAndWatch(layout, context, over.signal, () => Promise.reject(new Error('no')));
  over.abort();
  await done;
  expect(said).toEqual([]);
});
