import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startTrouble } from '../../src/client/start-trouble.ts';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import { openControl } from '../../src/supervisor/daemon/control.ts';
import type { Status } from '../../src/supervisor/status/status-schema.ts';
import type { Failure } from '../../src/system/failure.ts';
import { silent } from '../../src/system/log.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { asker, calm } from '../fakes/commands.ts';
import { removeTree } from '../remove-tree.ts';

const signal = new AbortController().signal;
const because: Failure = {
  kind: 'image-missing',
  message: 'No image.',
  hint: 'Make it.',
  exit: 66,
};
let layout: Layout;
beforeEach(() => {
  layout = layoutOf(mkdtempSync(join(tmpdir(), 'trouble-')));
  mkdirSync(layout.state);
  // Whether this machine can connect to itself is no matter here.
  writeFileSync(layout.config, '{"door":"unix"}');
});
afterEach(() => removeTree(layout.root));

const troubleIn = async (state: Partial<Status>) => {
  const status = { ...(await calm.status(asker)), ...state };
  const control = await openControl(layout, { ...calm, status: () => status }, silent);
  try {
    return await startTrouble(layout, { clock: systemClock, signal });
  } finally {
    control.close();
  }
};

test.each(['failed', 'backing-off'] as const)('a daemon that is %s says why', async (phase) =>
  expect(await troubleIn({ phase, because })).toMatchObject(because),
);

test('one whose guest comes, or comes back, has none', async () => {
  expect(await troubleIn({ phase: 'booting' })).toBeUndefined();
  expect(await troubleIn({ phase: 'stopping', because })).toBeUndefined();
});

test('where no daemon is, there is none either', async () =>
  expect(await startTrouble(layout, { clock: systemClock, signal })).toBeUndefined());
