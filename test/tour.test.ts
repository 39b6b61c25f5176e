/** The tour of the code names what there is, and takes the ten minutes that it promises. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import { phaseNames } from '../src/supervisor/lifecycle/phases.ts';
import { floors } from './floors.ts';

const root = resolve(import.meta.dirname, '..');
const textOf = (file: string) => readFileSync(resolve(root, file), 'utf8');
/** What a reader reads: no bare punctuation, and not the `readonly` before each field. */
const wordsIn = (text: string) =>
  text.split(/\s+/).filter((word) => /\w/.test(word) && word !== 'readonly').length;
const [walk = '', rest = ''] = textOf('docs/tour.md').split('## The layers');

/** Each stop: the files that it names, and the names in them that it has one read. */
const stops = walk
  .split(/^\d\. /m)
  .slice(1)
  .map((text) => {
    const quoted = [...text.matchAll(/`([^`]+)`/g)].map(([, quote = '']) => quote);
    const files = quoted.filter((quote) => quote.endsWith('.ts'));
    return { files, names: quoted.filter((quote) => /^\w+$/.test(quote)) };
  });

/** What stands at the top of a file, before its first import. */
const topOf = (file: string) => /^\/\*\*.*?\*\//s.exec(textOf(file))?.[0] ?? '';

/** The text of a name's declaration in a file, with the comment above it. */
function declared(file: string, name: string): string | undefined {
  const source = ts.createSourceFile(file, textOf(file), ts.ScriptTarget.Latest, true);
  const find = (node: ts.Node): ts.Node | undefined => {
    const { name: given } = node as { readonly name?: ts.Node };
    const isIt = given !== undefined && ts.isIdentifier(given) && given.text === name;
    const isDeclaration = ![ts.isImportSpecifier, ts.isParameter, ts.isPropertyAssignment].some(
      (is) => is(node),
    );
    return isIt && isDeclaration ? node : ts.forEachChild(node, find);
  };
  return find(source)?.getFullText(source);
}

describe('docs/tour.md', () => {
  test.each(stops)('names what is there: $names', ({ files, names }) => {
    expect(files).not.toEqual([]);
    const everywhere = stops.flatMap((stop) => stop.files);
    for (const name of names)
      expect(
        everywhere.some((file) => declared(file, name) !== undefined),
        name,
      ).toBe(true);
  });

  test('takes ten minutes, at 200 words a minute', () => {
    const read = stops.flatMap(({ files, names }) =>
      files.flatMap((file) => [
        topOf(file),
        ...names.flatMap((name) => declared(file, name) ?? []),
      ]),
    );
    expect(stops).toHaveLength(7);
    expect(wordsIn(walk) + wordsIn(read.join(' '))).toBeLessThan(10 * 200);
  });

  test('leads to a diagram that has every phase', () => {
    const diagram = topOf('src/supervisor/lifecycle/lifecycle.ts').split(/[^\w-]+/);
    expect(phaseNames.filter((phase) => !diagram.includes(phase))).toEqual([]);
  });

  test('draws the layers that hold for imports', () => {
    const drawn = /```\n(.*?)```/s.exec(rest)?.[1]?.trimEnd().split('\n') ?? [];
    const layers = drawn.map((line) => line.trim().split(/ {3,}/)[0]?.split(/ +/));
    const named = floors.map((folders) => folders.map((name) => (name === '.' ? 'main' : name)));
    expect(layers).toEqual(named.reverse());
  });
});
