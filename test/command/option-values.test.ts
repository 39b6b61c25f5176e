import { Command, CommanderError } from 'commander';
import { expect, test } from 'vitest';
import { fileToWrite, seconds, wholeFrom } from '../../src/command/option-values.ts';

/** What an option makes of a word; what commander says where that is nothing. */
function given(word: string, parse: (word: string) => unknown): unknown {
  let said = '';
  const program = new Command()
    .option('-n, --number <n>', 'a number', parse)
    .configureOutput({ writeErr: (text) => (said += text) })
    .exitOverride();
  try {
    return program.parse(['--number', word], { from: 'user' }).opts()['number'];
  } catch (error) {
    expect(error).toBeInstanceOf(CommanderError);
    expect(said).toContain(`'-n, --number <n>' argument '${word}' is invalid`);
    return undefined;
  }
}

test.each([
  ['60', 60],
  ['0.01', 0.01],
  ['0', undefined],
  ['-1', undefined],
  ['soon', undefined],
  ['', undefined],
  ['Infinity', undefined],
])('seconds: %j', (word, number) => expect(given(word, seconds)).toBe(number));

test.each([
  [0, '0', 0],
  [1, '0', undefined],
  [0, '200', 200],
  [0, '1.5', undefined],
  [0, '', undefined],
  [0, 'x', undefined],
  [0, '9007199254740993', undefined],
])('a whole number from %i: %j', (least, word, number) =>
  expect(given(word, wholeFrom(least))).toBe(number),
);

test.each(['report.txt', './-', '/nowhere/report.txt', import.meta.filename])(
  'a file to write: %j',
  (word) => expect(given(word, fileToWrite)).toBe(word),
);

// A program that reads standard output, or a link to it, would get the findings, too.
test.each(['', '-', '.', '/', '/dev/stdout', '/dev/fd/1', '/dev/../dev/null', '/proc/self/fd/1'])(
  'no file to write: %j',
  (word) => expect(given(word, fileToWrite)).toBeUndefined(),
);
