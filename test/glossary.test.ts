import { readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '..');
const glossary = readFileSync(join(root, 'docs/glossary.md'), 'utf8');
const [, retired = ''] = glossary.split('## Retired words');
const words = [...retired.matchAll(/^\| (\w+) +\|/gm)]
  .map(([, word = '']) => word)
  .filter((word) => word !== 'not');
const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter((name) =>
  name.endsWith('.ts'),
);
/** `oneShotForward` and `one-shot-forward.ts` alike: one, shot, forward. */
const wordsIn = (name: string) =>
  name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z0-9]+/);
const exported = /^export (?:abstract |async )*(?:class|function|const|interface|type) (\w+)/gm;

test('the glossary says which words are retired', () => expect(words.length).toBeGreaterThan(8));

test('no file and no export is named by a word that the glossary has replaced', () => {
  const names = files.flatMap((file) => [
    file,
    ...[...readFileSync(join(root, 'src', file), 'utf8').matchAll(exported)].map(
      ([, name = '']) => `${file}: ${name}`,
    ),
  ]);
  expect(names.length).toBeGreaterThan(files.length);
  const all = new Set(words.flatMap((word) => [word, `${word}s`]));
  expect(names.filter((name) => wordsIn(name).some((word) => all.has(word)))).toEqual([]);
});
