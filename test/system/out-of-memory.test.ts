/** Memory that has run out is no bug of the program, by whatever it is told. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { failureOf } from '../../src/system/failure.ts';
import { makeProgram } from '../rig/other-process.ts';
import { removeTree } from '../remove-tree.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'memory-'));
});
afterEach(() => removeTree(dir));

test.each(['ENOMEM', 'ERR_MEMORY_ALLOCATION_FAILED'])('%s', (code) => {
  const error = Object.assign(new Error('none left'), { code });
  expect(failureOf(error)).toMatchObject({ kind: 'out-of-memory', recovery: 'retry' });
});

test('a RangeError is a bug where memory has no limit', () => {
  expect(failureOf(new RangeError('too much')).kind).toBe('bug');
});

test('what Node throws below a limit (ulimit -v)', async () => {
  const program = await makeProgram(
    dir,
    `
    import { failureOf } from '../../src/system/failure.ts';
    const taken = [];
    try { for (;;) taken.push(Buffer.alloc(2 ** 29)); } catch (error) { console.log(failureOf(error).kind); }`,
  );
  const limited = `ulimit -v 2000000; exec '${process.execPath}' '${program}'`;
  expect(execFileSync('sh', ['-c', limited], { encoding: 'utf8' })).toBe('out-of-memory\n');
});
