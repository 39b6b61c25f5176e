import { describe as group, expect, test } from 'vitest';
import {
  describe,
  isLeftToDaemon,
  phases,
  plans,
  sooner,
  targets,
  vms,
  type Plan,
} from './plan.ts';

const many = (seed: number, count: number, canFillDisk = true): Plan[] => {
  const drawn = plans(seed, { canFillDisk });
  return Array.from({ length: count }, () => drawn.next().value);
};
const seeds = Array.from({ length: 50 }, (_, seed) => seed);

group('the plans of a seed', () => {
  test('are the same each time, and others with another seed', () => {
    expect(many(7, 40)).toEqual(many(7, 40));
    expect(many(7, 40)).not.toEqual(many(8, 40));
  });

  test.each(seeds)('%i: have each phase, target and network in a few rounds', (seed) => {
    const drawn = many(seed, 40);
    for (let from = 0; from + 5 <= drawn.length; from++) {
      const five = drawn.slice(from, from + 5);
      expect(new Set(five.map(({ phase }) => phase))).toEqual(new Set(phases));
      expect(new Set(five.map(({ target }) => target))).toEqual(new Set(targets));
    }
    for (let from = 0; from + 8 <= drawn.length; from++) {
      const eight = drawn.slice(from, from + 8);
      expect(new Set(eight.map(({ vm }) => vm))).toEqual(new Set(vms));
      expect(new Set(eight.map(({ network }) => network)).size).toBeGreaterThan(0);
    }
    expect(new Set(drawn.map(({ network }) => network))).toEqual(new Set(['user', 'gvproxy']));
  });

  test('change the program with each round, which has a network that goes with it; or never', () => {
    const drawn = many(4, 200);
    drawn.forEach(({ vm, network }, n) => {
      expect(vm).not.toBe(drawn[n - 1]?.vm);
      if (vm !== 'qemu') expect(network).toBe('gvproxy');
    });
    const one = plans(3, { canFillDisk: true, only: 'qemu' });
    const same = Array.from({ length: 30 }, () => one.next().value);
    expect(new Set(same.map(({ vm }) => vm))).toEqual(new Set(['qemu']));
    // A network that is killed is always gvproxy.
    const ways = new Set(same.map((plan) => `${plan.phase} ${plan.target} ${plan.network}`));
    expect(ways.size).toBe(5 * 2 * 2 + 5);
  });

  test('bring phase and target together in each way in fifteen', () => {
    const pairs = new Set(many(3, 15).map(({ phase, target }) => `${phase} ${target}`));
    expect(pairs.size).toBe(15);
  });

  test('freeze, take away, and give the pid to a stranger, each now and then', () => {
    const drawn = many(1, 600);
    const frozen = drawn.map(({ freeze, target }) => freeze && freeze.whom === target);
    expect(new Set(frozen)).toEqual(new Set([undefined, true, false]));
    expect(new Set(drawn.map(isLeftToDaemon))).toEqual(new Set([true, false]));
    const shortages = new Set(drawn.map(({ shortage }) => shortage?.of));
    expect(shortages).toEqual(new Set([undefined, 'disk', 'descriptors']));
    expect(new Set(drawn.map(({ reusedPid }) => reusedPid)).size).toBe(2);
    const relapses = drawn.filter(({ relapseMs }) => relapseMs !== undefined);
    expect(new Set(relapses.map(({ target }) => target))).toEqual(new Set(['daemon']));
  });

  test('choose another program behind a daemon that is killed, now and then, where there are several', () => {
    const drawn = many(1, 600);
    const followed = drawn.filter(({ next }) => next !== undefined);
    expect(new Set(followed.map(({ target }) => target))).toEqual(new Set(['daemon']));
    for (const { vm, next } of followed) expect(next?.vm).not.toBe(vm);
    const changes = new Set(followed.map(({ vm, next }) => `${vm} ${next?.vm ?? ''}`));
    expect(changes.size).toBeGreaterThanOrEqual(4);
    expect(
      drawn.filter(({ target, next }) => target === 'daemon' && next === undefined),
    ).not.toEqual([]);
    const one = plans(1, { canFillDisk: true, only: 'qemu' });
    for (let n = 0; n < 100; n++) expect(one.next().value.next).toBeUndefined();
  });

  test('hit a network only where there is one, and leave frozen only what somebody ends', () => {
    for (const plan of many(2, 600)) {
      if (plan.target === 'network' || plan.freeze?.whom === 'network')
        expect(plan.network).toBe('gvproxy');
      if (plan.freeze !== undefined && plan.freeze.ms === undefined)
        expect(plan.freeze.whom).not.toBe('daemon');
      if (isLeftToDaemon(plan))
        expect([plan.target, plan.vm, ['ready', 'building'].includes(plan.phase)]).toEqual([
          'vm',
          'qemu',
          true,
        ]);
    }
  });

  test('differ in nothing but the full disk where none can be filled', () => {
    const without = many(5, 60, false);
    expect(without.some(({ shortage }) => shortage?.of === 'disk')).toBe(false);
    const withDisk = many(5, 60);
    expect(without).toEqual(
      withDisk.map(({ shortage, ...plan }) =>
        shortage?.of === 'descriptors' ? { ...plan, shortage } : plan,
      ),
    );
  });
});

const some: Plan = {
  vm: 'qemu',
  network: 'gvproxy',
  phase: 'booting',
  target: 'vm',
  afterMs: 13,
  reusedPid: false,
};

test('sooner is the same in half the time', () => {
  expect(sooner(some)).toEqual({ ...some, afterMs: 6 });
});

test.each<[Partial<Plan>, string]>([
  [{}, 'round 3: kill the vm, 13 ms into booting, network gvproxy'],
  [
    { vm: 'vfkit' },
    "round 3: kill the vm, 13 ms into booting, run by vfkit's stand-in, network gvproxy",
  ],
  [
    { freeze: { whom: 'vm', ms: 900 }, shortage: { of: 'disk', ms: 80 }, reusedPid: true },
    "round 3: kill the vm, 13 ms into booting, frozen for 900 ms, network gvproxy, no room on the disk until 80 ms after, the daemon's pid is a stranger's later",
  ],
  [
    { freeze: { whom: 'network' }, shortage: { of: 'descriptors', ms: 90 } },
    'round 3: kill the vm, 13 ms into booting, the network frozen for good, network gvproxy, no file descriptor for the daemon until 90 ms after',
  ],
  [
    { target: 'daemon', relapseMs: 70 },
    'round 3: kill the daemon, 13 ms into booting, network gvproxy, the next one, too, after 70 ms',
  ],
  [
    { target: 'daemon', next: { vm: 'vfkit', network: 'gvproxy' } },
    'round 3: kill the daemon, 13 ms into booting, network gvproxy, vfkit is chosen after it',
  ],
  [
    { freeze: { whom: 'vm' } },
    'round 3: freeze the vm for good, 13 ms into booting, which the daemon kills, network gvproxy',
  ],
])('a round in a line: %j', (more, line) => {
  expect(describe({ ...some, ...more, number: 3 })).toBe(line);
});
