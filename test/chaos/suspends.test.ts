import { expect, test } from 'vitest';
import { begins, kills, killsSummary, resumeSteps, suspendSteps } from './suspends.ts';

test('each step has its kills of who is there, whose targets are the same with the same seed', () => {
  const all = kills(7, 20);
  expect(all).toEqual(kills(7, 20));
  expect(all).not.toEqual(kills(8, 20));
  for (const step of [...suspendSteps, ...resumeSteps]) {
    const here = all.filter((kill) => kill.step === step);
    expect(here).toHaveLength(20);
    const isAlone = [
      'suspend-step.vm-ended',
      'guest-saved',
      'phase.away',
      'phase.starting',
    ].includes(step);
    const there = isAlone ? ['daemon'] : ['daemon', 'vm', 'both'];
    expect(new Set(here.map(({ target }) => target))).toEqual(new Set(there));
  }
});

test('a step begins with its line of the log', () => {
  const line = (event: string, fields: object) => ({ event, level: 'info', time: '', ...fields });
  expect(begins('phase.suspending', line('phase', { phase: 'suspending' }))).toBe(true);
  expect(begins('phase.suspending', line('phase', { phase: 'away', was: 'suspending' }))).toBe(
    false,
  );
  expect(begins('suspend-step.frozen', line('suspend-step', { name: 'frozen' }))).toBe(true);
  expect(begins('guest-saved', line('guest-saved', {}))).toBe(true);
});

test('the last line counts what came of them', () => {
  const kill = { step: 'guest-saved', target: 'vm', afterMs: 1 } as const;
  const other = { ...kill, step: 'phase.away' };
  expect(
    killsSummary(
      [
        { kill, isHit: false, back: 'resumed', wrong: [] },
        { kill, isHit: true, back: 'booted', wrong: ['w'] },
        { kill: other, isHit: true, back: 'there', wrong: [] },
      ],
      7,
    ),
  ).toBe('chaos: 3 kills in 2 steps, 2 hit; 1 resumed, 1 booted, 1 there still; 1 wrong; seed 7');
});
