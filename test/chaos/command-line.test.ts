import { expect, test } from 'vitest';
import { help, readWords, wordsFor } from './command-line.ts';
import { sabotages } from './sabotages.ts';

test('rounds and seed, each with a default', () => {
  expect(readWords([], 5)).toEqual({ kind: 'rounds', rounds: 15, seed: 5 });
  expect(readWords(['--rounds', '3', '--seed', '9'], 5)).toEqual({
    kind: 'rounds',
    rounds: 3,
    seed: 9,
  });
});

const none = { kind: 'on-demand', seed: 5, arrivals: 0, arrivalsEach: 0, suspends: 0 };

test('builds that arrive while the guest goes and comes, in an absence, or in each step, and kills there', () => {
  expect(readWords(['--arrivals', '20', '--seed', '9'], 5)).toEqual({
    ...none,
    seed: 9,
    arrivals: 20,
  });
  expect(readWords(['--arrivals', '20', '--after', 'stop'], 5)).toEqual({
    ...none,
    arrivals: 20,
    after: 'stop',
  });
  expect(readWords(['--arrivals-each', '4'], 5)).toEqual({ ...none, arrivalsEach: 4 });
  expect(readWords(['--suspends', '2', '--arrivals-each', '4'], 5)).toEqual({
    ...none,
    arrivalsEach: 4,
    suspends: 2,
  });
});

test('the words that ask for a run again', () => {
  const words = '--arrivals 8 --after suspend --arrivals-each 1 --suspends 1 --seed 7'.split(' ');
  const asked = readWords(words, 5);
  expect(asked.kind === 'on-demand' && wordsFor(asked)).toBe(words.join(' '));
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
  ['--suspends', 'all'],
  ['--arrivals', '1', '--after', 'stop', '--suspends', '1'],
  ['--seed', '-1'],
  ['--seed', '1.5'],
  ['--sabotage', 'nothing'],
  ['--sabotage'],
  ['rounds'],
  ['--frobnicate'],
])('%s %s is refused', (...words) => expect(readWords(words, 5).kind).toBe('wrong'));
