import { expect, test } from 'vitest';
import { pressureNow } from '../../src/supervisor/idle/pressure.ts';
import {
  freeMemoryShare,
  isPressed,
  isShortOfMemory,
  readFreeShare,
} from '../../src/system/host/host-memory.ts';

const { signal } = new AbortController();

test.each([
  ['nothing where the settings do not care', 'same', 'same', undefined],
  ['the battery', 'now', 'same', 'battery'],
  ['the memory', 'same', 'now', 'memory'],
  ['the memory before the battery', 'now', 'now', 'memory'],
] as const)('%s', async (_, onBattery, onLowMemory, pressure) => {
  const yes = () => Promise.resolve(true);
  const policy = () => ({ onBattery, onLowMemory });
  expect(await pressureNow({ policy, onBattery: yes, onLowMemory: yes }, signal)).toBe(pressure);
});

test('nothing presses on a machine with mains and memory, or one that does not tell', async () => {
  const policy = () => ({ onBattery: 'now', onLowMemory: 'now' }) as const;
  const no = () => Promise.resolve(false);
  const fails = () => Promise.reject(new Error('no such program'));
  for (const answer of [no, fails])
    expect(
      await pressureNow({ policy, onBattery: answer, onLowMemory: answer }, signal),
    ).toBeUndefined();
});

test('what is not wanted is not asked', async () => {
  const ask = () => {
    throw new Error('asked');
  };
  const policy = () => ({ onBattery: 'same', onLowMemory: 'same' }) as const;
  expect(await pressureNow({ policy, onBattery: ask, onLowMemory: ask }, signal)).toBeUndefined();
});

test('the share of the memory that is free', () => {
  const text = 'MemTotal:       16000000 kB\nMemFree:  100 kB\nMemAvailable:    4000000 kB\n';
  expect(readFreeShare(text)).toBe(0.25);
  expect(readFreeShare('MemTotal:       16000000 kB\n')).toBeUndefined();
  const share = freeMemoryShare();
  if (process.platform === 'linux') expect(share).toBeGreaterThan(0);
  else expect(share).toBeUndefined();
});

test('this machine can be asked whether it is short of memory', async () =>
  expect(typeof (await isShortOfMemory(signal))).toBe('boolean'));

test.each([
  ['1\n', false],
  ['2\n', true],
  ['4\n', true],
  ['0\n', false],
  ['', false],
  ['24\n', false],
])('what macOS says of its memory: %j', (answer, isShort) =>
  expect(isPressed(answer)).toBe(isShort),
);
