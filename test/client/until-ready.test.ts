/** The wait for a guest beside a daemon of another release. */
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { waitUntilReady } from '../../src/client/until-ready.ts';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import { openControl } from '../../src/supervisor/daemon/control.ts';
import { silent } from '../../src/system/log.ts';
import { asker, calm } from '../fakes/commands.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { removeTree } from '../remove-tree.ts';

let layout: Layout;
beforeEach(() => {
  layout = layoutOf(mkdtempSync(join(tmpdir(), 'until-')));
  mkdirSync(layout.state);
});
afterEach(() => removeTree(layout.root));

const failure = { kind: 'x', message: 'm', hint: 'h', exit: 69 } as const;

test.each([
  ['one word that is not ours', { ...failure, recovery: 'ask-user' }, failure],
  ['no word of ours', 'because', { kind: 'gave-up', message: 'It failed.' }],
])(
  'a daemon that has given up, with %s for its reason, is not waited for',
  async (_, because, told) => {
    const status = {
      ...(await calm.status(asker)),
      phase: 'failed',
      sentence: 'It failed.',
      because,
    };
    // A later release knows more than the types here do.
    const control = await openControl(layout, { ...calm, status: () => status as never }, silent);
    const { signal } = new AbortController();
    const options = {
      clock: new FakeClock(),
      signal,
      timeoutMs: 300_000,
      onSentence: () => undefined,
    };
    expect(await waitUntilReady(layout, options)).toMatchObject(told);
    control.close();
  },
);
