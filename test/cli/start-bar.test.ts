/** How far a start is, as `status` finds it: beside the boots that are recorded. */
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { screenOf } from '../../src/cli/status/screen-facts.ts';
import type { CliContext } from '../../src/command/context.ts';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import { BootRecord } from '../../src/supervisor/status/boot-record.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { removeTree } from '../remove-tree.ts';

let layout: Layout;
beforeEach(() => {
  layout = layoutOf(mkdtempSync(join(tmpdir(), 'bar-')));
  mkdirSync(layout.state);
});
afterEach(() => removeTree(layout.root));

const clock = new FakeClock();
const now = clock.now();

/** What the bar says of a guest that is in this phase, for so long or since then. */
async function barOf(phase: 'starting' | 'booting' | 'resuming', since: number | string) {
  const context = { clock, env: { LINUXKIT_BUILDER_TREE: layout.root } } as unknown as CliContext;
  const status = {
    version: 1,
    phase,
    since: typeof since === 'string' ? since : new Date(now - since).toISOString(),
    sentence: 'It comes.',
    daemon: { pid: 7, started: '1', boot: 'b', program: 'node' },
  } as const;
  const found = { daemon: 'alive', status, heard: true } as const;
  const lines = await screenOf(found, Promise.resolve({}), layout, context);
  return lines.find((line) => line.includes('usually'))?.replace(/.*\] /, '');
}

test('the bar begins with the start that is under way, and is not there for a guest that goes on from a file', async () => {
  new BootRecord(layout.boots, now - 3_600_000).step({ name: 'ready', ms: 10_000 });
  expect(await barOf('starting', 1_000)).toBe('1.0 s, usually 10.0 s');
  expect(await barOf('starting', 'lately')).toBeUndefined();
  expect(await barOf('resuming', 1_000)).toBeUndefined();
  new BootRecord(layout.boots, now - 5_000).step({ name: 'prepared', ms: 100 });
  expect(await barOf('booting', 4_000)).toBe('5.0 s, usually 10.0 s');
});
