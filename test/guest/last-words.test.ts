import { describe, expect, test } from 'vitest';
import { unreadInRing } from '../../src/guest/console/last-words.ts';
import { put, ringBytes } from '../../src/guest/console/ring-bytes.ts';

const lines = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, n) => `line ${from + n} `.padEnd(64, 'x'));

/** A ring into which those lines were written, one after the other. */
function ringOf(texts: readonly string[]): Buffer {
  const ring = Buffer.alloc(ringBytes);
  let at = 0;
  for (const text of texts) {
    const bytes = Buffer.from(`${text}\r\n`);
    put(ring, at, bytes);
    at = (at + bytes.length) % ringBytes;
  }
  return ring;
}
const unread = (written: readonly string[], known: readonly string[]) =>
  unreadInRing(ringOf(written), known);

// Behaviour 231: No line of the console ring is shown twice, and lost lines are reported, even if more than 64 KiB of
// one repeated byte comes between two lines, or if the daemon is killed. There is one exception: if 64 KiB is followed
// by exactly the same 64 KiB, whatever it contains, the repetition is not noticed.
describe('lines of a ring that are not in the log', () => {
  test('of one that was never full: all behind what is known', () =>
    expect(unread(lines(0, 10), lines(0, 6))).toEqual({ lines: lines(6, 10), isLost: false }));

  test('nothing, when all was read', () =>
    expect(unread(lines(0, 10), lines(0, 10)).lines).toEqual([]));

  test('all, when nothing was read', () =>
    expect(unread(lines(0, 10), [])).toEqual({ lines: lines(0, 10), isLost: false }));

  test.each([
    ['some', 1_990],
    ['nearly a ring full', 1_020],
    ['but five lines of a ring', 2_000 - 988],
  ])('round the end, of which %s was not read', (_, read) =>
    expect(unread(lines(0, 2_000), lines(0, read))).toEqual({
      lines: lines(read, 2_000),
      isLost: false,
    }),
  );

  test('round the end, and all of it was read', () =>
    expect(unread(lines(0, 2_000), lines(0, 2_000))).toEqual({ lines: [], isLost: false }));

  test('more than a ring full was not read: all that is there, and that some was lost', () => {
    const found = unread(lines(0, 4_000), lines(0, 1_000));
    expect(found.isLost).toBe(true);
    for (const line of lines(3_020, 4_000)) expect(found.lines).toContain(line);
  });

  describe('where lines are alike', () => {
    const same = (count: number) => Array.from({ length: count }, () => 'alike');

    test.each([
      ['at its end', lines(0, 5), same(9), same(4)],
      ['and other words follow', lines(0, 5), same(9), [...same(4), 'last words', 'the end']],
      ['and others come before', [...lines(0, 5), ...same(20)], lines(5, 9), ['last words']],
    ])('%s, no more is dropped than was read', (_, first, second, rest) => {
      const known = [...first, ...second];
      expect(unread([...known, ...rest], known).lines).toEqual(rest);
    });

    test('in all the ring, last words are kept', () => {
      const known = same(20_000);
      expect(unread([...known, 'last words'], known).lines).toEqual(['last words']);
    });

    test('in a ring that is full, what follows them is kept', () => {
      const known = [...lines(0, 2_000), ...same(50)];
      const rest = [...same(3), ...lines(2_000, 2_010), ...same(2), 'last words'];
      expect(unread([...known, ...rest], known)).toEqual({ lines: rest, isLost: false });
    });
  });
});
