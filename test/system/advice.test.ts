import { describe, expect, test } from 'vitest';
import {
  advice,
  asSentence,
  joinTexts,
  ours,
  plainly,
  textFor,
  textLines,
  writtenFor,
} from '../../src/system/advice.ts';

describe('a command of this program', () => {
  test.each([
    [ours('start'), 'linuxkit-builder start', 'linuxkit-builder start -d /s'],
    [
      ours('configure', '--port 1'),
      'linuxkit-builder configure --port 1',
      'linuxkit-builder configure -d /s --port 1',
    ],
    // Without it these would be for another builder, whose disk goes.
    [ours('disk reset'), 'linuxkit-builder disk reset', 'linuxkit-builder disk reset -d /s'],
    [
      ours('ssh', '--root -- nix-collect-garbage'),
      'linuxkit-builder ssh --root -- nix-collect-garbage',
      'linuxkit-builder ssh -d /s --root -- nix-collect-garbage',
    ],
  ])('%j names the directory behind its command', (command, plain, named) => {
    expect(plainly(command)).toBe(plain);
    expect(command.for('/s')).toBe(named);
  });

  test('can be pasted where the place has a space in its name', () =>
    expect(ours('start').for('/a b/ä')).toBe("linuxkit-builder start -d '/a b/ä'"));

  // Behaviour 227: Each command that a message tells you to run can be pasted into a shell, whatever characters the
  // paths in it contain.
  test('can be pasted where the place has a quote in its name', () =>
    expect(ours('start').for("/it's")).toBe("linuxkit-builder start -d '/it'\\''s'"));
});

describe('a text with commands', () => {
  const failure = { hint: advice`Build it: ${ours('image build')}` };

  test('keeps those of the texts in it', () => {
    const text = advice`Attempt ${2} of ${'qemu'}. ${failure.hint}, then ${ours('start')}.`;
    expect(plainly(text)).toBe(
      'Attempt 2 of qemu. Build it: linuxkit-builder image build, then linuxkit-builder start.',
    );
    expect(text.for('/s')).toBe(
      'Attempt 2 of qemu. Build it: linuxkit-builder image build -d /s, then linuxkit-builder start -d /s.',
    );
  });

  test('leaves a string as it is, whatever is in it', () => {
    const line = 'linuxkit-builder start';
    expect(textFor(line, '/s')).toBe(line);
    expect(advice`${line} or ${ours('stop')}`.for('/s')).toBe(
      `${line} or linuxkit-builder stop -d /s`,
    );
  });

  test('ends with a full stop where something follows', () => {
    expect(asSentence('Done.')).toBe('Done.');
    expect(textFor(asSentence(failure.hint), '/s')).toBe(
      'Build it: linuxkit-builder image build -d /s.',
    );
  });

  test('is one of several, and several lines', () => {
    const text = joinTexts(['One', failure.hint, 'three'], '\n  ');
    expect(textLines(text).map((line) => textFor(line, '/s'))).toEqual([
      'One',
      '  Build it: linuxkit-builder image build -d /s',
      '  three',
    ]);
    expect(joinTexts([], ' ')).toBe('');
    expect(textLines('a\nb')).toEqual(['a', 'b']);
  });

  test('is plain in a record, unless its reader needs a directory', () => {
    const record = { phase: 'failed', because: failure, rejected: [ours('logs')], at: undefined };
    expect(JSON.stringify(record)).toBe(
      '{"phase":"failed","because":{"hint":"Build it: linuxkit-builder image build"},"rejected":["linuxkit-builder logs"]}',
    );
    expect(writtenFor(record, '/s')).toEqual({
      phase: 'failed',
      because: { hint: 'Build it: linuxkit-builder image build -d /s' },
      rejected: ['linuxkit-builder logs -d /s'],
    });
  });
});
