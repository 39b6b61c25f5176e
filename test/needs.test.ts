import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { reapAfterUs } from './rig/reaper.ts';
import { removeTree } from './remove-tree.ts';

const checkout = resolve(import.meta.dirname, '..');

/** Four tests that cannot be run, and two that can, by vitest itself. */
const source = `
import { beforeAll, describe, expect, test } from 'vitest';
import { needs } from '${join(import.meta.dirname, 'needs.ts')}';
const never = { what: 'the moon', isMet: false };
const always = { what: 'the sun', isMet: true };
test('runs', needs(always, { path: '/' }), () => expect(1).toBe(1));
test('both', needs(never, { programs: ['sh', 'no-such-program'] }), () => expect(1).toBe(2));
describe.each([1, 2])('suite %d', needs(never), () => {
  test('within', needs(always), () => expect(1).toBe(2));
});
describe('after', () => {
  beforeAll(() => { throw new Error('no'); });
  test('is not reached', () => expect(1).toBe(1));
});
`;

describe('a run', () => {
  const cache = join(checkout, '.cache');
  let dir = '';
  let printed = '';
  beforeAll(() => {
    mkdirSync(cache, { recursive: true });
    dir = mkdtempSync(join(cache, 'needs-'));
    reapAfterUs(dir);
    mkdirSync(join(dir, 'results'));
    writeFileSync(join(dir, 'vitest.config.js'), 'export default {};');
    writeFileSync(join(dir, 'some.test.ts'), source);
    const vitest = join(checkout, 'node_modules/vitest/vitest.mjs');
    const skipped = join(checkout, 'scripts/skipped.js');
    const report = join(dir, 'results/unit.json');
    const argv = ['run', '--root', dir, '--reporter=json', `--outputFile.json=${report}`];
    printed = spawnSync(process.execPath, [vitest, ...argv, `--reporter=${skipped}`], {
      cwd: checkout,
      encoding: 'utf8',
    }).stdout;
  });
  afterAll(() => removeTree(dir));

  const reasons = [
    'Skipped:',
    '     2  needs the moon',
    '     1  needs the moon and no-such-program',
    '     1  not reached: what has to run before them failed',
  ];
  test('ends with the reasons for which tests were skipped', () =>
    expect(printed).toContain(reasons.join('\n')));

  test('is summed up with them', () => {
    const argv = [join(checkout, 'scripts/sums.js'), relative(checkout, join(dir, 'results'))];
    const { stdout } = spawnSync(process.execPath, argv, { cwd: checkout, encoding: 'utf8' });
    expect(stdout.trimEnd().split('\n').slice(-5)).toEqual([
      ...reasons,
      expect.stringMatching(/^1 passed, \d failed, 0 unsteady, 4 skipped$/),
    ]);
  });
});

test('many reasons are no more than twenty lines', async () => {
  const { skippedLines } = (await import(join(checkout, 'scripts/skipped.js'))) as {
    skippedLines: (reasons: readonly string[]) => string[];
  };
  const lines = skippedLines(
    Array.from({ length: 30 }, (_, n) => Array<string>(30 - n).fill(`needs ${n}`)).flat(),
  );
  expect(lines).toHaveLength(21);
  expect(lines.at(-1)).toBe('    66  other reasons');
  expect(skippedLines([])).toEqual([]);
});
