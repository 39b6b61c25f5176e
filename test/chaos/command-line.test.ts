import { expect, test } from 'vitest';
import { help, readWords } from './command-line.ts';
import { sabotages } from './sabotages.ts';

test('rounds and seed, each with a default', () => {
  expect(readWords([], 5)).toEqual({ kind: 'rounds', rounds: 15, seed: 5 });
  expect(readWords(['--rounds', '3', '--seed', '9'], 5)).toEqual({
    ...{ kind: 'rounds', rounds: 3, seed: 9 },
  });
});

test('builds that arrive while the guest goes and comes', () => {
  expect(readWords(['--arrivals', '20', '--seed', '9'], 5)).toEqual({
    ...{ kind: 'arrivals', count: 20, seed: 9 },
  });
});

test('builds that all come in an absence, or in each step', () => {
  expect(readWords(['--arrivals', '20', '--after', 'stop'], 5)).toEqual({
    ...{ kind: 'arrivals', count: 20, seed: 5, after: 'stop' },
  });
  expect(readWords(['--arrivals-each', '4', '--seed', '9'], 5)).toEqual({
    ...{ kind: 'aims', each: 4, seed: 9 },
  });
});

test('one sabotage, or all', () => {
  expect(readWords(['--sabotage', 'no-lock'], 5)).toEqual({ kind: 'sabotage', names: ['no-lock'] });
  const names = Object.keys(sabotages);
  expect(readWords(['--sabotage', 'all'], 5)).toEqual({ kind: 'sabotage', names });
  for (const name of names) expect(help).toContain(name);
});

test.each([
  ['--rounds', '0'],
  ['--rounds', 'many'],
  ['--arrivals', '0'],
  ['--arrivals', '1', '--after', 'lunch'],
  ['--arrivals-each', '0'],
  ['--seed', '-1'],
  ['--seed', '1.5'],
  ['--sabotage', 'nothing'],
  ['--sabotage'],
  ['rounds'],
  ['--frobnicate'],
])('%s %s is refused', (...words) => expect(readWords(words, 5).kind).toBe('wrong'));
