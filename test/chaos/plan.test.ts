import { describe as group, expect, test } from 'vitest';
import { describe, phases, rounds, targets, type Round } from './plan.ts';

const many = (seed: number, count: number, canFillDisk = true): Round[] => {
  const drawn = rounds(seed, { canFillDisk });
  return Array.from({ length: count }, () => drawn.next().value);
};

group('the rounds of a seed', () => {
  test('are the same each time, and others with another seed', () => {
    expect(many(7, 40)).toEqual(many(7, 40));
    expect(many(7, 40)).not.toEqual(many(8, 40));
  });

  test('bring each phase and target together once before any comes again', () => {
    const laps = many(3, 45).map(({ phase, target }) => `${phase} ${target}`);
    const all = phases.flatMap((phase) => targets.map((target) => `${phase} ${target}`));
    for (const from of [0, 15, 30])
      expect(laps.slice(from, from + 15).sort()).toEqual([...all].sort());
  });

  test('kill, freeze, and take away, each now and then', () => {
    const drawn = many(1, 300);
    const deeds = new Set(drawn.map(({ deed }) => deed.kind));
    expect([...deeds].sort()).toEqual(['freeze', 'freeze-for-good', 'kill']);
    const shortages = new Set(drawn.map(({ shortage }) => shortage));
    expect(shortages).toEqual(new Set([undefined, 'disk', 'descriptors']));
    expect(new Set(drawn.map(({ reusedPid }) => reusedPid)).size).toBe(2);
  });

  test('hit a network only where there is one, and leave only a VM frozen that is watched', () => {
    for (const { target, network, deed, phase } of many(2, 300)) {
      if (target === 'network') expect(network).toBe('gvproxy');
      if (deed.kind === 'freeze-for-good')
        expect([target, ['ready', 'building'].includes(phase)]).toEqual(['vm', true]);
    }
  });

  test('differ in nothing but the full disk where none can be filled', () => {
    const without = many(5, 60, false);
    expect(without.some(({ shortage }) => shortage === 'disk')).toBe(false);
    const withoutShortage = (drawn: Round[]) =>
      drawn.map((round) => ({ ...round, shortage: undefined }));
    expect(withoutShortage(without)).toEqual(withoutShortage(many(5, 60)));
  });
});

test('a round in a line', () => {
  const round: Round = {
    ...{ number: 3, network: 'gvproxy', phase: 'booting', target: 'vm', afterMs: 12 },
    ...{ deed: { kind: 'freeze', ms: 900 }, shortage: 'disk', reusedPid: true },
  };
  expect(describe(round)).toMatchInlineSnapshot(
    `"round 3: freeze for 900 ms: the vm, 12 ms into booting, network gvproxy, no room on the disk, the daemon's pid is a stranger's later"`,
  );
});
