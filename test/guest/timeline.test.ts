import { expect, test } from 'vitest';
import {
  addMoment,
  beginBoot,
  describeTimeline,
  msUntil,
  type Boots,
} from '../../src/guest/timeline.ts';

const boot = (boots: Boots, start: number): Boots =>
  [
    { name: 'vm-started', atMs: start },
    { name: 'init', atMs: start + 3100, uptimeS: 2.9 },
    { name: 'sshd', atMs: start + 5000, uptimeS: 4.81 },
    { name: 'init', atMs: start + 9999, uptimeS: 9 },
  ].reduce(addMoment, beginBoot(boots));

test('the first of a name counts', () => {
  const [timeline = []] = boot([], 1000);
  expect(timeline.map(({ name }) => name)).toEqual(['vm-started', 'init', 'sshd']);
  expect(msUntil(timeline, 'init')).toBe(3100);
  expect(msUntil(timeline, 'nix')).toBeUndefined();
  expect(msUntil([], 'init')).toBeUndefined();
});

test('remembers the last five boots', () => {
  let boots: Boots = [];
  for (let n = 1; n <= 7; n++) boots = boot(boots, n);
  expect(boots.map((timeline) => timeline[0]?.atMs)).toEqual([3, 4, 5, 6, 7]);
});

test('a moment before any boot begins one', () => {
  expect(addMoment([], { name: 'x', atMs: 1 })).toEqual([[{ name: 'x', atMs: 1 }]]);
});

test('reads as a table', () => {
  expect(describeTimeline(boot([], 1000)[0] ?? [])).toEqual([
    'vm-started    0.00 s  +0.00 s',
    'init          3.10 s  +3.10 s  uptime 2.90 s',
    'sshd          5.00 s  +1.90 s  uptime 4.81 s',
  ]);
  expect(describeTimeline([])).toEqual([]);
});
