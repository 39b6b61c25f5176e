/** A limit on the size of files (ulimit -f), as a shell or a service manager sets it. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Failure } from '../../src/system/failure.ts';
import { fileSizeLimit } from '../../src/system/host/resource-limits.ts';
import { makeProgram } from '../rig/other-process.ts';
import { removeTree } from '../remove-tree.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'limit-'));
});
afterEach(() => removeTree(dir));

const source = `
  import { writeWhole } from '../../src/system/files/files.ts';
  import { failureOf } from '../../src/system/failure.ts';
  import { fileSizeLimit } from '../../src/system/host/resource-limits.ts';
  import '../../src/system/process/signals.ts';
  // Of write-file-atomic, which is no module of this kind.
  globalThis.__filename = process.argv[1];
  let failure;
  try { writeWhole(process.argv[2], 'x'.repeat(4 * 1024 * 1024)); } catch (error) { failure = failureOf(error); }
  console.log(JSON.stringify({ limit: fileSizeLimit(), failure }));`;

test('a start is not tried again for it, and the number is told', async () => {
  const program = await makeProgram(dir, source);
  // In blocks of 512 bytes.
  const limited = `ulimit -f 6144; exec '${process.execPath}' '${program}' '${join(dir, 'file')}'`;
  const said = execFileSync('sh', ['-c', limited], { encoding: 'utf8' });
  const { limit, failure } = JSON.parse(said) as { limit: number; failure: Failure };
  expect(limit).toBe(3 * 1024 * 1024);
  expect(failure).toMatchObject({ kind: 'cannot-write', recovery: 'give-up' });
  expect(failure.message).toContain('3 MiB');
});

test('none is no number', () => {
  expect(fileSizeLimit()).toBeUndefined();
});
