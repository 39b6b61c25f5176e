import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { removeTree } from './remove-tree.ts';

const scripts = resolve(import.meta.dirname, '../scripts');
type Status = 'passed' | 'failed';

let results = '';
beforeEach(() => {
  results = mkdtempSync(join(tmpdir(), 'unsteady-'));
  mkdirSync(join(results, 'again'));
});
afterEach(() => removeTree(results));

/** A report as vitest writes it, of files with one test each. */
function report(name: string, files: Readonly<Record<string, Status>>): void {
  const testResults = Object.entries(files).map(([file, status]) => ({
    name: resolve(file),
    status,
    message: '',
    assertionResults: [{ status, fullName: 'a test', failureMessages: ['why'], meta: {} }],
  }));
  const numPassedTests = testResults.filter(({ status }) => status === 'passed').length;
  const summary = { testResults, numPassedTests, numPendingTests: 0 };
  writeFileSync(join(results, name), JSON.stringify(summary));
}
function run(script: string, ...argv: readonly string[]) {
  const words = [join(scripts, script), ...argv];
  const { status, stdout } = spawnSync(process.execPath, words, { encoding: 'utf8' });
  return { status, lines: stdout.trimEnd().split('\n') };
}

test('a file that passes when it is run again is named, and fails nothing', () => {
  report('unit.json', { 'a.test.ts': 'passed', 'b.test.ts': 'failed' });
  expect(run('sums.js', results).status).toBe(1);
  report('again/unit.json', { 'b.test.ts': 'passed' });
  expect(run('sums.js', results)).toEqual({
    status: 0,
    lines: [
      'UNSTEADY unit b.test.ts: a test',
      '    why',
      '1 passed, 0 failed, 1 unsteady, 0 skipped',
    ],
  });
});

test('one that fails again, or in another run, is a failure', () => {
  report('unit.json', { 'b.test.ts': 'failed' });
  report('unit-24.json', { 'b.test.ts': 'failed' });
  report('again/unit.json', { 'b.test.ts': 'failed' });
  report('again/unit-24.json', { 'b.test.ts': 'passed' });
  const { status, lines } = run('sums.js', results);
  expect(status).toBe(1);
  expect(lines.filter((line) => !line.startsWith(' ')).sort()).toEqual([
    '0 passed, 1 failed, 1 unsteady, 0 skipped',
    'FAILED unit b.test.ts: a test',
    'UNSTEADY unit-24 b.test.ts: a test',
  ]);
});

test('only a few are run again', () => {
  const files = { 'a.test.ts': 'failed', 'b.test.ts': 'failed', 'c.test.ts': 'passed' } as const;
  report('unit.json', files);
  const path = join(results, 'unit.json');
  expect(run('failed-files.js', path, '2')).toEqual({ status: 0, lines: ['a.test.ts b.test.ts'] });
  expect(run('failed-files.js', path, '1').status).toBe(1);
  report('unit.json', { 'c.test.ts': 'passed' });
  expect(run('failed-files.js', path, '2').status).toBe(1);
});
