import { expect, test } from 'vitest';
import { checkNode } from '../../src/doctor/host/check-programs.ts';
import { translatedWarnings } from '../../src/setup/configure/configure.ts';
import { plainly } from '../../src/system/advice.ts';
import { nodeTranslated } from '../../src/system/host/translated.ts';

const asked = (platform: string, arch: string, answer: string) => () =>
  nodeTranslated({ platform, arch, ask: () => Promise.resolve(answer) });

// Behaviour 211: On Apple silicon, `configure` and `doctor` warn if Node is built for Intel processors, because
// Rosetta then has to translate it.
test('a Node for Intel on Apple silicon is told, with what helps', async () => {
  const translated = asked('darwin', 'x64', '1\n');
  expect((await translatedWarnings(translated)).map(plainly)).toEqual([
    expect.stringContaining('arm64'),
  ]);
  const verdict = await checkNode(translated);
  expect(verdict).toMatchObject({ kind: 'note', code: 'node-translated' });
});

test.each([
  ['an Intel Mac', 'darwin', 'x64', '0\n'],
  ['an Intel Mac that does not know the name', 'darwin', 'x64', ''],
  ['a Node for arm64', 'darwin', 'arm64', '1\n'],
  ['Linux', 'linux', 'x64', '1\n'],
])('nothing is told on %s', async (_, platform, arch, answer) => {
  const translated = asked(platform, arch, answer);
  expect(await translatedWarnings(translated)).toEqual([]);
  expect((await checkNode(translated)).kind).toBe('good');
});
