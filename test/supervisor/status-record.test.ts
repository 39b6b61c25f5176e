/** When the record is in the file: after those who act on a change have acted, and before anybody is told that it is so. */
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { defaultPolicy } from '../../src/supervisor/lifecycle/backoff.ts';
import type { Status } from '../../src/supervisor/status/status-schema.ts';
import { Supervisor } from '../../src/supervisor/supervisor.ts';
import { silent } from '../../src/system/log.ts';
import { identify } from '../../src/system/process/process.ts';
import { readyIn } from '../model/ready.ts';
import { World } from '../model/world.ts';

let world: World;
beforeEach(async () => (world = await World.make()));
afterEach(() => world[Symbol.asyncDispose]());
const written = () => JSON.parse(readFileSync(world.layout.status, 'utf8')) as Status;

test('who asked for something finds it there with the answer', async () => {
  const { supervisor, until } = await readyIn(world);
  supervisor.drain(true);
  expect(written()).toMatchObject({ phase: 'ready', door: { draining: true } });
  supervisor.dispatch({ type: 'restart', why: 'as requested' });
  supervisor.drain(false);
  expect(written()).toMatchObject({ phase: 'stopping', door: { draining: false } });
  supervisor.dispatch({ type: 'stop' });
  await until('stopped');
});

test('the last one is there when the daemon leaves, also without a door to close', async () => {
  const { layout, clock } = world;
  const daemon = identify(process.pid);
  if (daemon === undefined) throw new Error('this process cannot see itself');
  let phase = '';
  const onStatus = (status: Status) => void (phase = status.phase);
  const options = { layout, clock, log: silent, policy: defaultPolicy, daemon, onStatus };
  const supervisor = new Supervisor(
    { ...options, isOurs: () => true, doorSocket: '/nowhere' },
    { config: undefined, problems: [] },
  );
  supervisor.dispatch({ type: 'start' });
  while (phase !== 'failed') await clock.advance(1);
  supervisor.dispatch({ type: 'stop' });
  await supervisor.left;
  expect(written().phase).toBe('stopped');
});
