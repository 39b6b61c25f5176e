/** A file is hashed in pieces: memory does not grow with it. */
import { mkdtempSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sha256, sha256OfFile } from '../../src/system/digest.ts';
import { removeTree } from '../remove-tree.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'digest-'));
});
afterEach(() => removeTree(dir));

test.each([0, 1, 1024 * 1024 - 1, 1024 * 1024, 2 * 1024 * 1024 + 5])('of %i bytes', (size) => {
  const data = Buffer.alloc(size, 'some text, again and again');
  writeFileSync(join(dir, 'file'), data);
  expect(sha256OfFile(join(dir, 'file'))).toBe(sha256(data));
});

test('does not hold the file in memory', () => {
  const file = join(dir, 'file');
  writeFileSync(file, '');
  truncateSync(file, 256 * 1024 * 1024);
  const before = process.resourceUsage().maxRSS;
  sha256OfFile(file);
  // In KiB.
  expect(process.resourceUsage().maxRSS - before).toBeLessThan(64 * 1024);
});
