/** What `doctor` does in a guest is no use of it. */
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { linesOf } from '../messages/command-rig.ts';

test('doctor tells the daemon that it only asks, for as long as it does', async () => {
  const seen: string[] = [];
  let over: Promise<unknown> | undefined;
  await linesOf(['doctor', '--json'], {
    answers: {
      question: ({ gone }) => {
        seen.push('asks');
        over = gone && once(gone, 'abort').then(() => seen.push('is gone'));
        return {};
      },
    },
  });
  await over;
  expect(seen).toEqual(['asks', 'is gone']);
});

test('doctor makes its checks also where a daemon of an earlier release knows of no questions', async () => {
  const refuse = () => {
    throw new Error('unknown command');
  };
  const lines = await linesOf(['doctor', '--json'], { answers: { question: refuse } });
  expect(lines.join('\n')).toContain('"findings"');
});
