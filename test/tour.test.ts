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

/** Each declaration at the top of a file or in a class there, by its name, with the comment above it. A use is none. */
function declarationsIn(file: string): ReadonlyMap<string, string> {
  const source = ts.createSourceFile(file, textOf(file), ts.ScriptTarget.Latest, true);
  const found = new Map<string, string>();
  const keep = (name: ts.Node | undefined, whole: ts.Node) => {
    if (name !== undefined && ts.isIdentifier(name)) found.set(name.text, whole.getFullText());
  };
  for (const each of source.statements)
    if (ts.isVariableStatement(each))
      each.declarationList.declarations.forEach(({ name }) => keep(name, each));
    else if (isNamed(each)) {
      keep(each.name, each);
      if (ts.isClassDeclaration(each)) each.members.forEach((one) => keep(one.name, one));
    }
  return found;
}
const isNamed = (each: ts.Statement) =>
  ts.isFunctionDeclaration(each) ||
  ts.isClassDeclaration(each) ||
  ts.isInterfaceDeclaration(each) ||
  ts.isTypeAliasDeclaration(each);

describe('docs/tour.md', () => {
  test.each(stops)('has declarations read that its own files have: $names', ({ files, names }) => {
    const declared = files.flatMap((file) => [...declarationsIn(file).keys()]);
    expect(files).not.toEqual([]);
    expect(names).not.toEqual([]);
    for (const name of names) expect(declared).toContain(name);
  });

  test('takes ten minutes, at 200 words a minute', () => {
    const read = stops.flatMap(({ files, names }) =>
      files.flatMap((file) => [
        topOf(file),
        ...names.flatMap((name) => declarationsIn(file).get(name) ?? []),
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
