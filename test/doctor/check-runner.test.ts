import { describe, expect, test } from 'vitest';
import {
  runChecks,
  type Check,
  type Finding,
  type CheckVerdict,
} from '../../src/doctor/check-runner.ts';
import { Failed } from '../../src/system/failure.ts';

const good: CheckVerdict = { kind: 'good', fact: 'yes' };
const bad: CheckVerdict = {
  kind: 'bad',
  code: 'keys-open',
  what: 'no',
  why: 'so',
  remedy: 'do',
};
const check = (name: string, needs: string[], verdict: CheckVerdict = good): Check => ({
  name,
  dependsOn: needs,
  run: () => verdict,
});
const begun: string[] = [];
const run = (checks: readonly Check[], fix = false): Promise<readonly Finding[]> => {
  begun.length = 0;
  return runChecks(checks, {
    fix,
    signal: new AbortController().signal,
    onBegin: (name) => begun.push(name),
    onFinding: () => undefined,
  });
};

describe('a chain', () => {
  test('blames the first broken link, and looks at nothing that rests on it', async () => {
    const findings = await run([
      check('a', []),
      check('b', ['a'], bad),
      check('c', ['b']),
      check('d', ['c']),
      check('e', ['a']),
    ]);
    expect(begun).toEqual(['a', 'b', 'e']);
    expect(findings.map(({ name, kind }) => `${name} ${kind}`)).toEqual([
      'a good',
      'b bad',
      'c skipped',
      'd skipped',
      'e good',
    ]);
    expect(findings[3]).toMatchObject({ because: 'b' });
  });

  test('goes on over notes and over what cannot be asked', async () => {
    const findings = await run([
      check('a', [], { kind: 'note', code: 'emulated', fact: '', why: '' }),
      check('b', ['a'], { kind: 'not-asked', code: 'drained', why: '' }),
      check('c', ['b']),
    ]);
    expect(findings.at(-1)?.kind).toBe('good');
  });

  test('takes what is thrown for a finding, hint and all', async () => {
    const failure = { kind: 'x', message: 'M.', hint: 'H.', exit: 1, lines: ['l'] } as const;
    const [finding] = await run([
      { name: 'a', dependsOn: [], run: () => Promise.reject(new Failed(failure)) },
    ]);
    expect(finding).toEqual({
      name: 'a',
      kind: 'bad',
      code: 'check-failed',
      failure: 'x',
      what: 'M.',
      why: 'l',
      remedy: 'H.',
    });
  });

  test('mends only when asked, looks again, and goes on', async () => {
    let broken = true;
    const mending: Check = {
      name: 'a',
      dependsOn: [],
      run: () => (broken ? { ...bad, fix: () => void (broken = false) } : good),
    };
    expect((await run([mending, check('b', ['a'])])).map(({ kind }) => kind)).toEqual([
      'bad',
      'skipped',
    ]);
    const [first, second] = await run([mending, check('b', ['a'])], true);
    expect(first).toEqual({ name: 'a', ...good, fixed: true });
    expect(second?.kind).toBe('good');
  });

  test('says so when mending fails', async () => {
    const fix = () => Promise.reject(new Error('disk full'));
    const [finding] = await run([check('a', [], { ...bad, fix })], true);
    expect(finding).toMatchObject({ kind: 'bad' });
    expect(JSON.stringify(finding)).toContain('disk full');
  });
});
