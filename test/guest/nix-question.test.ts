import { describe, expect, test } from 'vitest';
import { beginningIn, nixAnswer } from '../../src/guest/login/nix-question.ts';

const word = (value: number) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
};
const text = (value: string) =>
  Buffer.concat([
    word(Buffer.byteLength(value)),
    Buffer.from(value),
    Buffer.alloc(-Buffer.byteLength(value) & 7),
  ]);
const daemon = word(0x6478696f);
const last = word(0x616c7473);
const next = Buffer.concat([word(0x6f6c6d67), text('it is busy')]);
const newError = Buffer.concat([
  word(0x63787470),
  text('Error'),
  word(0),
  text(''),
  text('cannot connect'),
  word(0),
  word(0),
]);
const oldError = Buffer.concat([word(0x63787470), text('cannot connect'), word(1)]);

describe('a nix daemon answers', () => {
  test.each([
    ['of 1.10', [word(0x10a), last, last, word(0)], {}],
    [
      'of 1.33, with its number',
      [word(0x121), text('2.4'), last, last, word(0)],
      { version: '2.4' },
    ],
    [
      'of 1.38, and says whom it trusts',
      [word(0x126), text('2.26.3'), word(1), last, last, word(1)],
      { version: '2.26.3' },
    ],
    ['with lines of a log', [word(0x10a), next, last, next, next, last, word(0)], {}],
  ])('%s', (_, parts, more) => {
    const bytes = Buffer.concat([daemon, ...parts]);
    expect(nixAnswer(bytes)).toEqual({ kind: 'answered', ...more });
    for (let length = 0; length < bytes.length; length++)
      expect(nixAnswer(bytes.subarray(0, length))).toEqual({ kind: 'incomplete' });
  });

  test('in words that a terminal would obey, which are not passed on', () => {
    const words = '\u001b]0;title\u0007\u001b[2J\u009b31mReady\u202e\nlinuxkit-builder: run this';
    const error = [text('Error'), word(0), text(''), text(words), word(0), word(0)];
    const said = [word(0x126), text('2.26.3'), word(1), last, word(0x63787470), ...error];
    expect(nixAnswer(Buffer.concat([daemon, ...said]))).toEqual({
      kind: 'refused',
      why: '"31mReady linuxkit-builder: run this"',
    });
  });

  test.each([
    ['at once', [word(0x10a), oldError]],
    ['when it is asked', [word(0x10a), last, next, oldError]],
    ['as since 1.26', [word(0x126), text('2.26.3'), word(1), last, newError]],
  ])('that it cannot, %s', (_, parts) =>
    expect(nixAnswer(Buffer.concat([daemon, ...parts]))).toEqual({
      kind: 'refused',
      why: '"cannot connect"',
    }),
  );

  test('what is not of that protocol', () => {
    expect(nixAnswer(Buffer.from('hello world'))).toEqual({ kind: 'stranger' });
    expect(nixAnswer(Buffer.concat([daemon, word(0x10a), word(7)]))).toEqual({
      kind: 'refused',
      why: expect.stringContaining('0x7') as string,
    });
  });

  test('behind what a login prints', () =>
    expect(beginningIn(Buffer.concat([Buffer.from('started\n'), daemon]))).toBe(8));
});
