import { mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { NamesWatch } from '../../src/supervisor/daemon/names-watch.ts';
import { removeTree } from '../remove-tree.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'names-'));
  // A change now is no change within the same tick of the kernel's clock.
  utimesSync(directory, 1, 1);
});
afterEach(() => removeTree(directory));

const looks = (watch: NamesWatch, count: number) =>
  Array.from({ length: count }, () => watch.isDue());
const yes = (count: number) => Array.from({ length: count }, () => true);
const no = (count: number) => Array.from({ length: count }, () => false);

test('names are looked at twice, for times of whole seconds, and then once a minute', () => {
  const watch = new NamesWatch(directory);
  expect(looks(watch, 24)).toEqual([...yes(2), ...no(9), true, ...no(11), true]);
});

test.each<[string, (file: string) => void]>([
  ['a new one', (file) => writeFileSync(`${file}.more`, '')],
  ['one that is gone', (file) => rmSync(file)],
  ['one that has another', (file) => renameSync(file, `${file}.old`)],
])('%s has them looked at again', (_, change) => {
  const file = join(directory, 'file');
  writeFileSync(file, '');
  utimesSync(directory, 1, 1);
  const watch = new NamesWatch(directory);
  looks(watch, 3);
  change(file);
  expect(looks(watch, 4)).toEqual([...yes(2), ...no(2)]);
});

test('a directory that is gone, and one in its place, are changes', () => {
  const watch = new NamesWatch(directory);
  looks(watch, 3);
  renameSync(directory, `${directory}.old`);
  expect(watch.isDue()).toBe(true);
  renameSync(`${directory}.old`, directory);
  expect(watch.isDue()).toBe(true);
});
