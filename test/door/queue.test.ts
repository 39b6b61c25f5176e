import fc from '../fuzz/fast-check.ts';
import { describe, expect, test } from 'vitest';
import {
  admit,
  arrive,
  emptyQueue,
  learn,
  leave,
  sendBack,
  tooMany,
  type Queue,
  type QueueRoom,
  type User,
  type Waiter,
} from '../../src/door/queue.ts';

const queueOf = (count: number, about: (n: number) => Partial<Waiter> = () => ({})): Queue => {
  const all = { isSsh: true, isDue: true, user: 1000 };
  return Array.from({ length: count }, (_, n) => n + 1).reduce(
    (queue, n) => learn(arrive(queue, n), n, { ...all, ...about(n) }),
    emptyQueue,
  );
};
const roomFor = (slots: number, room: Partial<QueueRoom> = {}): QueueRoom => ({
  slots,
  mute: 1,
  perUser: Infinity,
  others: Infinity,
  ours: new Set(),
  unasked: true,
  through: new Map(),
  random: () => 0.5,
  ...room,
});
const nobody = { ours: new Set<User>() };
const numbers = (waiters: readonly Waiter[]) => waiters.map(({ number }) => number);

describe('the queue', () => {
  test('admits in order of arrival, no more than there are slots', () => {
    const first = admit(queueOf(5), roomFor(2));
    expect(first.admitted).toEqual([1, 2]);
    expect(numbers(first.queue.waiting)).toEqual([3, 4, 5]);
    expect(numbers(first.queue.opening)).toEqual([1, 2]);
    expect(admit(first.queue, roomFor(2)).admitted).toEqual([]);
    expect(admit(leave(first.queue, 1), roomFor(2)).admitted).toEqual([3]);
  });

  test('forgets whoever leaves, waiting or opening', () => {
    const { queue } = admit(queueOf(3), roomFor(1));
    const left = leave(leave(queue, 1), 3);
    expect([numbers(left.waiting), left.opening]).toEqual([[2], []]);
  });

  test('sends back to the places they had', () => {
    const { queue } = admit(queueOf(4), roomFor(2));
    expect(sendBack(queue)).toEqual(queueOf(4));
  });

  test('admits nobody who has had no time to leave', () => {
    const queue = queueOf(3, (n) => ({ isDue: n > 2 }));
    expect(admit(queue, roomFor(3)).admitted).toEqual([3]);
  });

  test('admits ssh clients before those without a word, of whom there are few at a time', () => {
    const queue = queueOf(6, (n) => ({ isSsh: n > 4 }));
    expect(admit(queue, roomFor(6)).admitted).toEqual([5, 6, 1]);
    expect(admit(queue, roomFor(6, { mute: 0 })).admitted).toEqual([5, 6]);
  });

  test('admits of each user in turn, however many one of them has', () => {
    const queue = queueOf(6, (n) => ({ user: n === 6 ? 1 : 1000 }));
    expect(admit(queue, roomFor(3)).admitted).toEqual([1, 6, 2]);
    const through = new Map<User, number>([[1000, 2]]);
    expect(admit(queue, roomFor(3, { through })).admitted).toEqual([6, 1, 2]);
    expect(admit(queue, roomFor(6, { through, perUser: 3 })).admitted).toEqual([6, 1]);
  });

  test('admits those who can log in first, however many users the others are', () => {
    const ours = new Set<User>([7, 0]);
    const queue = queueOf(40, (n) => ({ user: n > 38 ? (n === 39 ? 0 : 7) : 100_000 + n }));
    expect(admit(queue, roomFor(4, { ours })).admitted).toEqual([39, 40, 1, 2]);
    const through = new Map<User, number>([...Array(20).keys()].map((n) => [200_000 + n, 1]));
    const { admitted } = admit(queue, roomFor(40, { ours, through, others: 25 }));
    expect(admitted).toEqual([39, 40, 1, 2, 3, 4, 5]);
  });

  test('admits nobody in a crowd before it is known whose they are', () => {
    const queue = queueOf(3, (n) => ({ user: n === 2 ? 'unknown' : undefined }));
    expect(admit(queue, roomFor(3, { unasked: false })).admitted).toEqual([2]);
  });

  test('leaves it to chance where users cannot be told apart and many wait', () => {
    const queue = queueOf(10, () => ({ user: 'unknown' }));
    expect(admit(queue, roomFor(2)).admitted).toEqual([6, 5]);
    expect(admit(queue, roomFor(10)).admitted).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  test('keeps order and slots whatever happens', () => {
    const happening = fc.oneof(
      fc.constant('arrive' as const),
      fc.constant('admit' as const),
      fc.constant('send-back' as const),
      fc.nat(20),
    );
    fc.assert(
      fc.property(fc.array(happening), fc.integer({ min: 1, max: 4 }), (happenings, slots) => {
        let queue = emptyQueue;
        let next = 1;
        for (const what of happenings) {
          if (what === 'arrive') queue = learn(arrive(queue, next), next++, { isDue: true });
          else if (what === 'admit') queue = admit(queue, roomFor(slots, { mute: 4 })).queue;
          else if (what === 'send-back') queue = sendBack(queue);
          else queue = leave(queue, what);
          const [waiting, opening] = [numbers(queue.waiting), numbers(queue.opening)];
          expect(opening.length).toBeLessThanOrEqual(slots);
          expect(waiting).toEqual([...waiting].sort((a, b) => a - b));
          expect(new Set([...waiting, ...opening]).size).toBe(waiting.length + opening.length);
        }
      }),
    );
  });
});

describe('when too many wait', () => {
  test('the first without a word of ssh goes, of the user who has most of them', () => {
    const user = (n: number) => (n % 3 === 0 ? 1 : 1000);
    const queue = queueOf(9, (n) => ({ isSsh: n < 3, user: user(n) }));
    expect(tooMany(queue, { ...nobody, random: Math.random })).toBe(4);
  });

  test('the last that came had no time to say a word, and is not the one for that', () => {
    const queue = queueOf(3, (n) => ({ isSsh: n < 3, user: n < 3 ? 1000 : 1 }));
    expect(tooMany(queue, { ...nobody, random: () => 0.99 })).toBe(2);
  });

  test('one of the user who has most goes, whoever came last', () => {
    const queue = queueOf(100, (n) => ({ user: n === 100 ? 1 : 1000 }));
    for (const chance of [0, 0.5, 0.999])
      expect(tooMany(queue, { ...nobody, random: () => chance })).toBeLessThan(100);
  });

  test('whoever can log in is the last to go, also before it is known who that is', () => {
    const ours = new Set<User>([7, 0]);
    const userOf = (n: number) => (n === 1 ? 7 : n === 2 ? 0 : n === 100 ? undefined : 100_000 + n);
    const queue = queueOf(100, (n) => ({ user: userOf(n), isSsh: n !== 1 }));
    for (const chance of [0, 0.5, 0.999])
      expect(tooMany(queue, { ours, random: () => chance })).toBe(3);
    const alone = queueOf(3, (n) => ({ user: n === 1 ? 0 : 7 }));
    expect(tooMany(alone, { ours, random: () => 0.999 })).toBe(3);
  });

  test('anyone goes where users cannot be told apart', () => {
    const queue = queueOf(100, () => ({ user: 'unknown' }));
    expect(
      [0, 0.5, 0.999].map((chance) => tooMany(queue, { ...nobody, random: () => chance })),
    ).toEqual([1, 51, 100]);
  });
});
