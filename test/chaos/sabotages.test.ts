import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { changed, isFoundBy, sabotages, type Sabotage } from './sabotages.ts';
import type { Outcome, Violation } from './tally.ts';

const source = resolve(import.meta.dirname, '../../src');

describe.each(Object.entries(sabotages) as [string, Sabotage][])('%s', (_, { changes }) => {
  test.each(changes)('can be put into $file', (change) => {
    const text = readFileSync(join(source, change.file), 'utf8');
    const sabotaged = changed(text, change);
    expect(sabotaged).toContain(change.to);
    expect(sabotaged).not.toBe(text);
  });
});

test('what does not stand there, or stands there twice, is refused', () => {
  const change = { file: 'x.ts', from: 'a', to: 'b' };
  expect(changed('-a-', change)).toBe('-b-');
  expect(() => changed('---', change)).toThrow('src/x.ts does not have exactly once: a');
  expect(() => changed('a-a', change)).toThrow('exactly once');
});

test('a sabotage is found by its own violation in its own words, of a round that counts, and nothing beside it', () => {
  const sabotage = sabotages['stale-pid-trusted'];
  const round = { number: 1, ...sabotage.round };
  const own: Violation = { check: 'next-start', what: 'The daemon is already running (pid 7).' };
  const kill = { kind: 'kill', by: 'us', froze: false } as const;
  const found = (violations: Violation[], blow: Outcome['blow'] = kill) =>
    isFoundBy(sabotage, { round, blow, violations });
  expect(found([own])).toBe(true);
  expect(found([])).toBe(false);
  expect(found([{ check: 'next-start', what: 'the builder does not get ready' }])).toBe(false);
  expect(found([{ ...own, check: 'retry' }])).toBe(false);
  expect(found([own, { check: 'one-vm', what: '2 VMs' }])).toBe(false);
  expect(found([own], { kind: 'miss', why: 'nobody was there' })).toBe(false);
});
