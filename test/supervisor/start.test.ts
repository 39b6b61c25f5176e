/** What a start does before its VM program runs. */
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { commitSaved } from '../../src/supervisor/idle/saved-guest.ts';
import { bootsIn } from '../../src/supervisor/status/boots.ts';
import { fourth } from '../fakes/fourth-vm.ts';
import { oneStart } from '../model/one-start.ts';
import { World } from '../model/world.ts';

function writeProgram({ layout }: World): void {
  const path = join(dirname(layout.root), 'bin', 'fourth-vm');
  writeFileSync(path, '#!/bin/sh\nexec sleep 60\n', { mode: 0o755 });
}

// vfkit empties its console's file when it makes its devices, also where it then refuses to start (pkg/vf/virtio.go).
test('the last words of a guest whose daemon was killed are kept, whatever the next VM program does with the file', async () => {
  await using world = await World.make();
  const { layout } = world;
  writeProgram(world);
  writeFileSync(layout.consoleRing, 'its last words\r\n');
  // The last that a driver is asked before its program runs: from here on the file is the program's.
  const stale: typeof fourth.stale = (of) => {
    writeFileSync(of.consoleRing, '');
    return fourth.stale(of);
  };
  const { end } = await oneStart(world, { ...fourth, stale });
  await end();
  expect(readFileSync(layout.consoleLog, 'utf8')).toContain('its last words');
});

test('boots.jsonl has the starts that boot their guest, and none that goes on from its file', async () => {
  await using world = await World.make();
  const { layout } = world;
  writeProgram(world);
  const boots = () =>
    bootsIn(readFileSync(layout.boots, 'utf8')).map(({ steps }) => steps[0]?.name);
  const begin = async () => {
    const { scope, end } = await oneStart(world, fourth);
    const { guest, saved } = scope.running;
    await end();
    if (guest === undefined) throw new Error('a start has a guest');
    return { identity: guest.keeping.identity, took: saved, resumed: guest.resumed };
  };
  const { identity } = await begin();
  expect(boots()).toEqual(['prepared']);
  const at = new Date().toISOString();
  const save = (guest = identity) => {
    writeFileSync(layout.unfinishedMemory, 'its memory');
    return commitSaved(layout, { identity: guest, at, bootedAt: at, resumes: 0 });
  };
  const saved = save();
  expect((await begin()).resumed).toEqual(saved);
  expect(boots()).toEqual(['prepared']);
  // This one takes the file as well, and boots.
  const other = save({ ...identity, guest: 'another image' });
  expect(await begin()).toMatchObject({ took: other, resumed: undefined });
  expect(boots()).toEqual(['prepared', 'prepared']);
});

test('boots.jsonl has also the starts that fail before they have a plan', async () => {
  await using world = await World.make();
  writeProgram(world);
  world.spoil();
  await expect(oneStart(world, fourth)).rejects.toThrow();
  expect(bootsIn(readFileSync(world.layout.boots, 'utf8'))).toHaveLength(1);
});
