/** A state directory that cannot be, since a file stands where it or a directory above it would be. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { layoutOf } from '../../src/config/layout.ts';
import { checkTrust, closeDirectories } from '../../src/host/directory/state-directory.ts';
import { directoryProblems, distrustProblems } from '../../src/setup/directories.ts';
import { Exit, failureOf } from '../../src/system/failure.ts';
import { buildProgram, type BuiltProgram } from '../fakes/program.ts';
import { removeTree } from '../remove-tree.ts';

let program: BuiltProgram;
beforeAll(async () => {
  program = await buildProgram();
});
afterAll(() => program[Symbol.dispose]());

let tree: string;
beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), 'file-in-the-way-'));
  writeFileSync(join(tree, 'file'), '');
  chmodSync(join(tree, 'file'), 0o644);
});
afterEach(() => removeTree(tree));

function refusal(act: () => void) {
  try {
    act();
    return undefined;
  } catch (error) {
    return failureOf(error);
  }
}

const names = ['file', 'file/builder', 'file/far/builder'];

test.each(names)('%s: every use of it is refused', (name) => {
  const layout = layoutOf(join(tree, name));
  for (const use of ['look', 'ask', 'end', 'mend', 'wait', 'change'] as const)
    expect(refusal(() => checkTrust(layout, use, expect.unreachable))).toMatchObject({
      kind: 'directory-is-file',
      exit: Exit.usage,
    });
  expect(directoryProblems(layout)).toHaveLength(1);
  expect(distrustProblems(layout)).toEqual([]);
});

test('the file stays as it is', () => {
  const layout = layoutOf(join(tree, 'file'));
  expect(refusal(() => closeDirectories(layout))).toMatchObject({ kind: 'directory-is-file' });
  expect(statSync(layout.root).mode & 0o777).toBe(0o644);
});

test.each(names)('%s: no command takes it for a bug, or for a builder yet to be', (name) => {
  for (const command of ['configure', 'status', 'daemon', 'stop', 'unconfigure']) {
    const argv = [program.main, command, '-d', join(tree, name)];
    const env = { PATH: process.env['PATH'] ?? '', HOME: tree, LINUXKIT_BUILDER_TREE: tree };
    expect(spawnSync(process.execPath, argv, { env }).status, command).toBe(Exit.usage);
  }
  expect(readdirSync(tree)).toEqual(['file']);
});
