import { expect, test } from 'vitest';
import { pressureNow } from '../../src/supervisor/idle/pressure.ts';
import { freeMemoryShare, readFreeShare } from '../../src/system/host/host-memory.ts';

const { signal } = new AbortController();

test.each([
  ['nothing where the settings do not care', 'same', 'same', undefined],
  ['the battery', 'now', 'same', 'battery'],
  ['the memory', 'same', 'now', 'memory'],
  ['the memory before the battery', 'now', 'now', 'memory'],
] as const)('%s', async (_, onBattery, onLowMemory, pressure) => {
  const world = { onBattery: () => Promise.resolve(true), freeShare: () => 0.05 };
  const policy = () => ({ onBattery, onLowMemory });
  expect(await pressureNow({ ...world, policy }, signal)).toBe(pressure);
});

test('nothing presses on a machine with mains and memory, or one that does not tell', async () => {
  const policy = () => ({ onBattery: 'now', onLowMemory: 'now' }) as const;
  const mains = () => Promise.resolve(false);
  for (const freeShare of [() => 0.5, () => undefined])
    expect(await pressureNow({ policy, onBattery: mains, freeShare }, signal)).toBeUndefined();
  const fails = () => Promise.reject(new Error('no pmset'));
  expect(
    await pressureNow({ policy, onBattery: fails, freeShare: () => 0.5 }, signal),
  ).toBeUndefined();
});

test('what is not wanted is not asked', async () => {
  const ask = () => {
    throw new Error('asked');
  };
  const policy = () => ({ onBattery: 'same', onLowMemory: 'same' }) as const;
  expect(await pressureNow({ policy, onBattery: ask, freeShare: ask }, signal)).toBeUndefined();
});

test('the share of the memory that is free', () => {
  const text = 'MemTotal:       16000000 kB\nMemFree:  100 kB\nMemAvailable:    4000000 kB\n';
  expect(readFreeShare(text)).toBe(0.25);
  expect(readFreeShare('MemTotal:       16000000 kB\n')).toBeUndefined();
  const share = freeMemoryShare();
  if (process.platform === 'linux') expect(share).toBeGreaterThan(0);
  else expect(share).toBeUndefined();
});
