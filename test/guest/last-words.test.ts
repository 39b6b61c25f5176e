import { describe, expect, test } from 'vitest';
import { unreadInRing } from '../../src/guest/last-words.ts';

const lines = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, n) => `line ${from + n}`);

describe('lines of a ring that are not in the log', () => {
  test('of one that was never full: all behind what is known', () =>
    expect(unreadInRing(lines(0, 10), lines(0, 6))).toEqual(lines(6, 10)));
  test('nothing, when all was read', () =>
    expect(unreadInRing(lines(0, 10), lines(0, 10))).toEqual([]));
  test('all, when nothing was read', () =>
    expect(unreadInRing(lines(0, 10), [])).toEqual(lines(0, 10)));
  test('round the end: newer lines stand before older ones', () => {
    // Written: 0..19. The ring begins with 15..19, then half of 6, then 7..14; read was up to 12.
    const ring = [...lines(15, 20), 'ne 6', ...lines(7, 15)];
    expect(unreadInRing(ring, lines(0, 13))).toEqual(lines(13, 20));
  });
  test('round the end, and all of it was read', () => {
    const ring = [...lines(15, 20), 'ne 6', ...lines(7, 15)];
    expect(unreadInRing(ring, lines(0, 20))).toEqual([]);
  });
});
