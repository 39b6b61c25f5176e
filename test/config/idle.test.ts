import { expect, test } from 'vitest';
import { idleMs, spanMs } from '../../src/config/idle.ts';

test.each([
  ['10 min', 600_000],
  ['90s', 90_000],
  ['2 h', 7_200_000],
  [' 10 s ', 10_000],
  ['168 h', 604_800_000],
  ['9 s', undefined],
  ['169 h', undefined],
  ['10', undefined],
  ['10 minutes', undefined],
  ['1.5 h', undefined],
  ['-10 min', undefined],
  ['', undefined],
])('%j is a span of %j ms', (text, ms) => expect(spanMs(text)).toBe(ms));

const usual = { onBattery: 'same', onLowMemory: 'same' } as const;

test('a guest that stays is never idle for long enough', () => {
  expect(idleMs({ idle: { ...usual, after: '10 min', how: 'never' } })).toBeUndefined();
  expect(idleMs(undefined)).toBeUndefined();
  for (const how of ['auto', 'stop'] as const)
    expect(idleMs({ idle: { ...usual, after: '10 min', how } })).toBe(600_000);
});
