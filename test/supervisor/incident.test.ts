import { existsSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Log } from '../../src/system/log.ts';
import { readyIn } from '../model/ready.ts';
import { World } from '../model/world.ts';

test('one that cannot be kept is told, and its guest is ended all the same', async () => {
  await using world = await World.make();
  const told: string[] = [];
  const log: Log = (_level, event) => void told.push(event);
  const { supervisor, until } = await readyIn(world, { log });
  writeFileSync(world.layout.incidents, 'a file in its way');
  world.say('Kernel panic - not syncing: odd');
  await until('backing-off');
  expect(world.vms()).toEqual([]);
  expect(told).toContain('incident-not-kept');
  expect(told).not.toContain('stop-failed');
  supervisor.dispatch({ type: 'stop' });
  await until('stopped');
});

test('nothing is kept in a directory that is not ours any more', async () => {
  await using world = await World.make();
  let isOurs = true;
  const { supervisor, phases, until } = await readyIn(world, { isOurs: () => isOurs });
  world.say('Kernel panic - not syncing: odd');
  supervisor.tick();
  isOurs = false;
  while (phases.at(-1) === 'stopping') await world.clock.advance(5);
  expect(phases.at(-1)).toBe('backing-off');
  await until('stopped');
  expect(await supervisor.left).toMatchObject({ kind: 'directory-lost' });
  expect(world.vms()).toEqual([]);
  expect(existsSync(world.layout.incidents)).toBe(false);
});
