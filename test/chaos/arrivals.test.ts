import { expect, test } from 'vitest';
import type { LogLine } from '../real/rig.ts';
import { arrivals, arrivalsSummary, stepAt, type Arrival } from './arrivals.ts';

const first = (seed: number, count: number): readonly Arrival[] => {
  const coming = arrivals(seed);
  return Array.from({ length: count }, () => coming.next().value);
};

test('half of them come beside a suspend, each kind in any four, and again with the same seed', () => {
  for (const seed of [1, 2, 3]) {
    const kinds = first(seed, 4).map(({ beside }) => beside);
    expect(kinds.sort()).toEqual(['absence', 'resume', 'suspend', 'suspend']);
    expect(first(seed, 20)).toEqual(first(seed, 20));
    for (const { beside, afterMs } of first(seed, 20))
      expect(beside === 'absence' ? afterMs === 0 : afterMs >= -400 && afterMs < 1_200).toBe(true);
  }
});

const line = (event: string, fields: object = {}): LogLine => ({
  event,
  level: 'info',
  time: '',
  ...fields,
});

test('the step in which one came is read from the log', () => {
  const life = [
    ...['starting', 'booting', 'ready', 'stopping'].map((phase) => line('phase', { phase })),
    line('seen', { name: 'stop' }),
    line('vm-ended'),
    line('phase', { phase: 'away' }),
  ];
  expect(life.map((_, n) => stepAt(life.slice(0, n + 1)))).toEqual([
    'starting',
    'booting',
    'ready',
    'stopping',
    'stopping, the guest shuts down',
    'stopping, without a VM',
    'away',
  ]);
  expect(stepAt([])).toBe('stopped');
});

test('the last line counts them by step, and those that failed', () => {
  const came = [
    { step: 'away', end: 0, tookMs: 9_000 },
    { step: 'stopping', end: 1, tookMs: 12_340 },
    { step: 'away', end: 0, tookMs: 8_000 },
  ];
  expect(arrivalsSummary(came, 7)).toBe(
    'chaos: 3 arrivals; in away 2; stopping 1; 1 builds failed; the longest took 12.3 s; seed 7',
  );
});
