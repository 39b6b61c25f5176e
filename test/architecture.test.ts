import { readFileSync, readdirSync } from 'node:fs';
import { basename, dirname, relative, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { floors } from './floors.ts';

const floorOf = new Map(
  floors.flatMap((folders, floor) => folders.map((folder) => [folder, floor])),
);
/** About as many as fit on a screen beside the text of one. */
const filesInAFolder = 15;
const root = resolve(import.meta.dirname, '../src');
const files = sourceFiles();
const folderOf = (file: string) => relative(root, file).split('/').slice(0, -1)[0] ?? '.';
const importsOf = (file: string): string[] =>
  [...readFileSync(file, 'utf8').matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map((match) =>
    resolve(dirname(file), match[1] ?? ''),
  );

describe('the tree', () => {
  test('has files', () => expect(files.length).toBeGreaterThan(5));

  test.each(files.map((file) => relative(root, file)))('%s imports downwards only', (name) => {
    const from = folderOf(resolve(root, name));
    for (const target of importsOf(resolve(root, name))) {
      const to = folderOf(target);
      const allowed = from === to || (floorOf.get(to) ?? 99) < (floorOf.get(from) ?? -1);
      expect(allowed, `${name} (${from}) imports ${relative(root, target)} (${to})`).toBe(true);
    }
  });

  test.each(files.map((file) => relative(root, file)))('%s has at most 250 lines', (name) => {
    expect(readFileSync(resolve(root, name), 'utf8').split('\n').length).toBeLessThanOrEqual(251);
  });

  test('has folders that a reader can take in, each file with a name of its own', () => {
    const named = new Map<string, string[]>();
    const held = new Map<string, string[]>();
    for (const file of files) {
      const name = relative(root, file);
      named.set(basename(file), [...(named.get(basename(file)) ?? []), name]);
      held.set(dirname(name), [...(held.get(dirname(name)) ?? []), name]);
    }
    expect([...named.values()].filter((same) => same.length > 1)).toEqual([]);
    expect([...held.values()].filter((all) => all.length > filesInAFolder)).toEqual([]);
  });

  test('has no import cycle', () => {
    const done = new Set<string>();
    const visit = (file: string, path: readonly string[]): void => {
      expect(
        path,
        `cycle: ${[...path, file].map((f) => relative(root, f)).join(' -> ')}`,
      ).not.toContain(file);
      if (done.has(file)) return;
      for (const next of importsOf(file)) visit(next, [...path, file]);
      done.add(file);
    };
    for (const file of files) visit(file, []);
  });
});

test('only test/needs.ts skips a test', () => {
  const files = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' }).filter(
    (name) => name.endsWith('.ts') && !/^needs\.(test\.)?ts$/.test(name),
  );
  expect(files.length).toBeGreaterThan(300);
  const skips = /\b(?:runIf|skipIf|todo)\(|\.(?:skip|todo)\b|\bskip: *(?:true|!|\w+\()/;
  const found = files.filter((name) =>
    skips.test(readFileSync(resolve(import.meta.dirname, name), 'utf8')),
  );
  expect(found).toEqual([]);
});

function sourceFiles(): string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => resolve(root, name));
}
