/** What a start does before its VM program runs. */
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { fourth } from '../fakes/fourth-vm.ts';
import { oneStart } from '../model/one-start.ts';
import { World } from '../model/world.ts';

// vfkit empties its console's file when it makes its devices, also where it then refuses to start (pkg/vf/virtio.go).
test('the last words of a guest whose daemon was killed are kept, whatever the next VM program does with the file', async () => {
  await using world = await World.make();
  const { layout } = world;
  const bin = join(dirname(layout.root), 'bin');
  writeFileSync(join(bin, 'fourth-vm'), '#!/bin/sh\nexec sleep 60\n', { mode: 0o755 });
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
