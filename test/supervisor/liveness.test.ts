import { describe, expect, test } from 'vitest';
import {
  observe,
  freshLiveness,
  frozenMs,
  healthOf,
  noSigns,
  unanswered,
  type Liveness,
  type Signs,
} from '../../src/supervisor/health/liveness.ts';

/** Looks a second apart from 0 on; each adds to some counters. */
const live = (looks: readonly Partial<Signs>[]): Liveness =>
  looks.reduce<Liveness>((pulse, more, second) => {
    const signs = { ...pulse.signs };
    for (const [name, count] of Object.entries(more))
      signs[name as keyof Signs] = (signs[name as keyof Signs] ?? 0) + (count ?? 0);
    const answered = signs.agent !== pulse.signs.agent;
    return observe(answered ? pulse : unanswered(pulse, second * 1000), signs, second * 1000);
  }, freshLiveness());

describe('health', () => {
  test('is well while the agent answers, though nothing else moves', () =>
    expect(healthOf(live([{ agent: 1 }, { agent: 1 }]), 1e9)).toBe('well'));

  test.each(['sshd', 'login', 'console', 'disk', 'door'] as const)(
    'a guest whose %s moves is slow, however long its agent is silent',
    (name) => {
      const hour = Array.from({ length: 3600 }, () => ({ [name]: 1 }));
      expect(healthOf(live([{ agent: 1, disk: 1 }, ...hour]), 3600_000)).toBe('slow');
    },
  );

  test('is frozen when nothing has moved for the limit since the first question that was left unanswered, not a moment earlier', () => {
    const pulse = live([{ agent: 1 }, {}, {}, {}]);
    expect(healthOf(pulse, 1000 + frozenMs - 1)).toBe('slow');
    expect(healthOf(pulse, 1000 + frozenMs)).toBe('frozen');
  });

  test('the first count of the disk is no movement: nobody knows when it came', () => {
    const pulse = live([{ agent: 1 }, {}, { disk: 700 }, {}]);
    expect(healthOf(pulse, 1000 + frozenMs)).toBe('frozen');
  });

  test('a count that is none stands still', () => {
    const pulse = live([{ agent: 1, disk: NaN }, { disk: 1 }, {}, {}]);
    expect(pulse.signs.disk).toBeNaN();
    expect(healthOf(pulse, 1000 + frozenMs)).toBe('frozen');
  });

  test('one movement begins the count anew', () => {
    const pulse = live([{ agent: 1 }, {}, {}, { console: 5 }, {}]);
    expect(healthOf(pulse, 3000 + frozenMs - 1)).toBe('slow');
    expect(healthOf(pulse, 3000 + frozenMs)).toBe('frozen');
  });

  test('what moves while the agent answers begins no silence', () => {
    const pulse = observe(live([{ agent: 1 }]), { ...noSigns, agent: 1, console: 5 }, 1e6);
    expect(healthOf(pulse, 1e9)).toBe('well');
  });

  test('after a gap nothing is held against the guest', () =>
    expect(healthOf(freshLiveness(noSigns), 1e9)).toBe('well'));
});
