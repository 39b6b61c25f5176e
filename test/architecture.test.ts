import { readFileSync, readdirSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';

/** Floors of the building, lowest first. A file may import from its own folder and from lower floors; types count. */
const floors = [
  ['system'],
  ['config'],
  ['vm', 'net', 'guest', 'door'],
  ['supervisor', 'image', 'host'],
  ['cli'],
  ['.'],
];
const floorOf = new Map(
  floors.flatMap((folders, floor) => folders.map((folder) => [folder, floor])),
);
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

function sourceFiles(): string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => resolve(root, name));
}
