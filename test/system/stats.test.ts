/** The answers must be the same with every Node: below a file, those of Node's own option are not. */
import { mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { exactStatsIfThere, linkStatsIfThere, statsIfThere } from '../../src/system/stats.ts';
import { removeTree } from '../remove-tree.ts';

let tree: string;
beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), 'stats-'));
  writeFileSync(join(tree, 'file'), 'text');
});
afterEach(() => removeTree(tree));

test.each([statsIfThere, linkStatsIfThere, exactStatsIfThere])('%o', (statsOf) => {
  expect(Number(statsOf(join(tree, 'file'))?.size)).toBe(4);
  expect(statsOf(join(tree, 'missing'))).toBeUndefined();
  expect(statsOf(join(tree, 'file/below'))).toBeUndefined();
  expect(statsOf(join(tree, 'file/below/that'))).toBeUndefined();
  symlinkSync('loop', join(tree, 'loop'));
  expect(() => statsOf(join(tree, 'loop/below'))).toThrow();
});
