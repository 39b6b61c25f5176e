/** How much of the program a command loads: what all of them do is loaded by all, and the rest by whoever needs it; or by nobody, after an upgrade. */
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Exit } from '../../src/system/failure.ts';
import { buildProgram, type BuiltProgram } from '../fakes/program.ts';
import { removeTree } from '../remove-tree.ts';

const home = mkdtempSync(join(tmpdir(), 'loads-'));
const report = join(home, 'report.cjs');
let program: BuiltProgram;
beforeAll(async () => {
  program = await buildProgram();
  // CommonJS as all of dist: at the end each file that was loaded is in Node's cache of modules.
  writeFileSync(
    report,
    `process.on('exit', () => {
      const { writeFileSync } = require('node:fs');
      const files = Object.keys(require.cache).filter((name) => /[/]dist[/][^/]+[.]js$/.test(name));
      writeFileSync(process.env.REPORT, JSON.stringify(files));
    });`,
  );
}, 60_000);
afterAll(() => {
  program[Symbol.dispose]();
  removeTree(home);
});

function perform(main: string, ...argv: string[]) {
  const result = join(home, 'loaded.json');
  const env = {
    PATH: process.env['PATH'],
    HOME: home,
    LINUXKIT_BUILDER_TREE: home,
    REPORT: result,
  };
  const ran = spawnSync(process.execPath, ['-r', report, main, ...argv], { env, encoding: 'utf8' });
  return { ...ran, files: JSON.parse(readFileSync(result, 'utf8')) as readonly string[] };
}

test.each([
  ['--version', 110, 18],
  ['--help', 110, 18],
  ['list', 230, 45],
  ['drain', 245, 52],
  ['status', 385, 78],
])('%s loads less than %i kB in %i files', (word, kB, count) => {
  const { files } = perform(program.main, word);
  const bytes = files.map((file) => statSync(file).size).reduce((sum, size) => sum + size, 0);
  expect(bytes / 1000).toBeLessThan(kB);
  expect(files.length).toBeLessThan(count);
  // All of it was counted.
  expect(files).toContain(realpathSync(program.main));
});

test('a command that an upgrade has taken the rest of says so, and nothing of our own code', () => {
  const upgraded = join(home, 'upgraded');
  cpSync(program.folder, upgraded, { recursive: true });
  const main = join(upgraded, 'dist/main.js');
  const loaded = new Set(perform(main, '--version').files.map((file) => basename(file)));
  for (const name of readdirSync(dirname(main)))
    if (name.endsWith('.js') && !loaded.has(name)) rmSync(join(dirname(main), name));
  const { status, stdout, stderr } = perform(main, 'status');
  expect(stdout).toBe('');
  expect(stderr).not.toMatch(/^ +at /m);
  expect(status).toBe(Exit.temporary);
});
