import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { followOutput } from '../../src/supervisor/children/child-output.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { removeTree } from '../remove-tree.ts';

let dir: string;
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'child-output-'))));
afterEach(() => removeTree(dir));

test('what a child says is logged and kept without what a terminal obeys', async () => {
  const path = join(dir, 'qemu.out');
  const logged: unknown[] = [];
  const output = followOutput(path, 'qemu', {
    clock: new FakeClock(),
    log: (_level, event, fields) => logged.push([event, fields]),
  });
  writeFileSync(path, '\u001b]0;title\u0007one\u009b31m\ntwo \u202e\n');
  expect(output.last()).toEqual(['one31m', 'two']);
  expect(logged).toEqual(['one31m', 'two'].map((text) => ['child-says', { child: 'qemu', text }]));
  await output.close();
});
