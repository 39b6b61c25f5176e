import { readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import ts from 'typescript';
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
const all = new Set(words.flatMap((word) => [word, `${word}s`]));
const isRetired = (name: string) => wordsIn(name).some((word) => all.has(word));
const anyOfThem = new RegExp(words.join('|'), 'i');
/** A field of `status --json`, which programs read. */
const kept = ['untold'];

/** What a file calls its own: types, functions, values, and their properties. */
function declaredIn(text: string): readonly string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    const { name } = node as { readonly name?: ts.Node };
    if (name !== undefined && (ts.isIdentifier(name) || ts.isPrivateIdentifier(name)))
      if (!ts.isPropertyAccessExpression(node)) found.push(name.text);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile('a.ts', text, ts.ScriptTarget.Latest));
  return found;
}

test('the glossary says which words are retired', () => {
  expect(words.length).toBeGreaterThan(8);
  expect(
    declaredIn('class A { #hurry = 1; b({ laid }: { laid: C }) {} }').filter(isRetired),
  ).toEqual(['#hurry', 'laid', 'laid']);
});

test('no file and no name in one is made of a word that the glossary has replaced', () => {
  expect(files.filter(isRetired)).toEqual([]);
  const found = files.flatMap((file) => {
    const text = readFileSync(join(root, 'src', file), 'utf8');
    const names = anyOfThem.test(text) ? declaredIn(text) : [];
    return names
      .filter((name) => isRetired(name) && !kept.includes(name))
      .map((name) => `${file}: ${name}`);
  });
  expect(found).toEqual([]);
});
