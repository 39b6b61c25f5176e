import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { removeTree } from './remove-tree.ts';

/** Makes files in a directory, and the directory again, for so long. */
const writer = `
  const { writeFileSync, mkdirSync } = require('node:fs');
  const [, folder, ms] = process.argv;
  console.log('begins');
  for (let end = Date.now() + Number(ms), file = 0; Date.now() < end;)
    try { writeFileSync(folder + '/' + file++, ''); } catch { mkdirSync(folder, { recursive: true }); }`;

test('deletes what somebody is still writing into', { timeout: 60_000 }, async () => {
  for (let round = 0; round < 10; round++) {
    const tree = mkdtempSync(join(tmpdir(), 'remove-tree-'));
    const folder = join(tree, 'folder');
    mkdirSync(folder);
    const child = spawn(process.execPath, ['-e', writer, folder, '300']);
    const ended = once(child, 'exit');
    await once(child.stdout, 'data');
    removeTree(tree);
    await ended;
    // What was made after it had been deleted.
    removeTree(tree);
    expect(existsSync(tree)).toBe(false);
  }
});
