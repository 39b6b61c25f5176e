/** What `doctor` does in a guest is no use of it. */
import { once } from 'node:events';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import { asQuestion } from '../../src/doctor/ssh/as-question.ts';
import { openControl, type Commands } from '../../src/supervisor/daemon/control.ts';
import { failureOf } from '../../src/system/failure.ts';
import { silent } from '../../src/system/log.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { calm } from '../fakes/commands.ts';
import { removeTree } from '../remove-tree.ts';

let layout: Layout;
beforeEach(() => {
  layout = layoutOf(mkdtempSync(join(tmpdir(), 'question-')));
  mkdirSync(layout.state, { mode: 0o700 });
});
afterEach(() => removeTree(layout.root));

const good = { kind: 'good', fact: 'it is so' } as const;
const context = { clock: systemClock, signal: new AbortController().signal };
const withDaemon = async <T>(question: Commands['question'], work: () => Promise<T>) => {
  const control = await openControl(layout, { ...calm, question }, silent);
  return work().finally(() => control.close());
};

test.each(['good', 'fails'])(
  'a check is a question for as long as it takes (it %s)',
  async (end) => {
    let asking: AbortSignal | undefined;
    const question: Commands['question'] = ({ gone }) => {
      asking = gone;
      return {};
    };
    const seen: (boolean | undefined)[] = [];
    const check = () => {
      seen.push(asking?.aborted);
      return end === 'good' ? good : Promise.reject(new Error(end));
    };
    await withDaemon(question, async () => {
      const run = Promise.resolve(asQuestion({ layout, context }, check)());
      const ended = await run.catch((error: unknown) => failureOf(error).message);
      expect(ended).toEqual(end === 'good' ? good : expect.stringContaining(end));
      expect(seen).toEqual([false]);
      if (asking?.aborted === false) await once(asking, 'abort');
    });
  },
);

test('a check is made also where a daemon of an earlier release knows of no questions, or none is there', async () => {
  const check = asQuestion({ layout, context }, () => good);
  const refuse = () => {
    throw new Error('unknown command');
  };
  expect(await withDaemon(refuse, async () => check())).toEqual(good);
  expect(await check()).toEqual(good);
});
