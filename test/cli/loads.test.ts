/** How much of the program a command loads: what all of them do is loaded by all, and the rest by whoever needs it. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildProgram, type BuiltProgram } from '../fakes/program.ts';

const home = mkdtempSync(join(tmpdir(), 'loads-'));
const report = join(home, 'report.cjs');
let program: BuiltProgram;
beforeAll(async () => {
  program = await buildProgram();
  // CommonJS as all of dist: at the end each file that was loaded is in Node's cache of modules.
  writeFileSync(
    report,
    `process.on('exit', () => {
      const { statSync, writeFileSync } = require('node:fs');
      const files = Object.keys(require.cache).filter((name) => /[/]dist[/][^/]+[.]js$/.test(name));
      writeFileSync(process.env.REPORT, JSON.stringify(files.map((name) => statSync(name).size)));
    });`,
  );
}, 60_000);
afterAll(() => {
  program[Symbol.dispose]();
  rmSync(home, { recursive: true });
});

function loadedBy(...argv: string[]): { readonly kB: number; readonly files: number } {
  const result = join(home, 'loaded.json');
  const env = {
    PATH: process.env['PATH'],
    HOME: home,
    LINUXKIT_BUILDER_TREE: home,
    REPORT: result,
  };
  spawnSync(process.execPath, ['-r', report, program.main, ...argv], { env });
  const sizes = JSON.parse(readFileSync(result, 'utf8')) as number[];
  return { kB: sizes.reduce((sum, size) => sum + size, 0) / 1000, files: sizes.length };
}

test.each([
  ['--version', 115, 18],
  ['--help', 115, 18],
  ['list', 235, 45],
  ['drain', 255, 55],
  ['status', 390, 80],
])('%s loads less than %i kB in %i files', (word, kB, files) => {
  const loaded = loadedBy(word);
  expect(loaded.kB).toBeLessThan(kB);
  expect(loaded.kB).toBeGreaterThan(50);
  expect(loaded.files).toBeLessThan(files);
});
