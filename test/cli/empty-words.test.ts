/** Words that are empty, as of a script whose variable was: none may become the working directory, or anything else. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { Exit } from '../../src/system/failure.ts';
import { buildProgram, type BuiltProgram } from '../fakes/program.ts';
import { removeTree } from '../remove-tree.ts';

let program: BuiltProgram;
beforeAll(async () => {
  program = await buildProgram();
});
afterAll(() => program[Symbol.dispose]());

let tree: string;
beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), 'empty-words-'));
  for (const name of ['home', 'here']) mkdirSync(join(tree, name));
});
afterEach(() => removeTree(tree));

const run = (argv: readonly string[], env: Record<string, string> = {}) =>
  spawnSync(process.execPath, [program.main, ...argv], {
    cwd: join(tree, 'here'),
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: join(tree, 'home'),
      LINUXKIT_BUILDER_TREE: tree,
      ...env,
    },
  }).status;
const made = () => readdirSync(tree, { recursive: true }).sort();

test.each([
  ['status', '-d', ''],
  ['configure', '--directory='],
  ['unconfigure', '--purge', '--yes', '-d', ''],
  ['daemon', '-d', ''],
  ['configure', '--bundle', ''],
  ['image', 'build', '--output', ''],
  ['boot-report', '--html', ''],
])('%s %s %s', (...argv) => {
  expect(run(argv)).toBe(Exit.usage);
  expect(made()).toEqual(['here', 'home']);
});

test('LINUXKIT_BUILDER_DIR, unless an option names the directory', () => {
  for (const argv of [['status'], ['configure'], ['unconfigure', '--purge', '--yes']])
    expect(run(argv, { LINUXKIT_BUILDER_DIR: '' })).toBe(Exit.usage);
  const named = ['status', '-d', join(tree, 'home/builder')];
  expect(run(named, { LINUXKIT_BUILDER_DIR: '' })).toBe(run(named));
  expect(made()).toEqual(['here', 'home']);
});

test('XDG_CACHE_HOME is as good as unset', () => {
  expect(run(['status'], { XDG_CACHE_HOME: '' })).toBe(run(['status']));
  expect(made()).toEqual(['here', 'home']);
});
