import fc from '../fuzz/fast-check.ts';
import { describe, expect, test } from 'vitest';
import { admit, arrive, emptyQueue, leave, sendBack, type Queue } from '../../src/door/queue.ts';

const queueOf = (count: number): Queue =>
  Array.from({ length: count }, (_, n) => n + 1).reduce(arrive, emptyQueue);

describe('the queue', () => {
  test('admits in order of arrival, no more than there are slots', () => {
    const first = admit(queueOf(5), 2);
    expect(first).toEqual({
      queue: { waiting: [3, 4, 5], opening: [1, 2] },
      admitted: [1, 2],
    });
    expect(admit(first.queue, 2).admitted).toEqual([]);
    expect(admit(leave(first.queue, 1), 2).admitted).toEqual([3]);
  });

  test('forgets whoever leaves, waiting or opening', () => {
    const { queue } = admit(queueOf(3), 1);
    expect(leave(leave(queue, 1), 3)).toEqual({ waiting: [2], opening: [] });
  });

  test('sends back to the places they had', () => {
    const { queue } = admit(queueOf(4), 2);
    expect(sendBack(queue)).toEqual(queueOf(4));
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
          if (what === 'arrive') queue = arrive(queue, next++);
          else if (what === 'admit') queue = admit(queue, slots).queue;
          else if (what === 'send-back') queue = sendBack(queue);
          else queue = leave(queue, what);
          expect(queue.opening.length).toBeLessThanOrEqual(slots);
          expect(queue.waiting).toEqual([...queue.waiting].sort((a, b) => a - b));
          expect(new Set([...queue.waiting, ...queue.opening]).size).toBe(
            queue.waiting.length + queue.opening.length,
          );
        }
      }),
    );
  });
});
