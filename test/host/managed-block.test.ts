import fc from '../fuzz/fast-check.ts';
import { describe, expect, test } from 'vitest';
import { blockLines, withBlock, withoutBlock } from '../../src/host/managed-block.ts';

const bytes = (text: string) => Buffer.from(text);
const put = (text: string, lines: string[], position: 'first' | 'last') =>
  withBlock(bytes(text), lines, position).toString();

describe('the managed block', () => {
  test('stands first or last', () => {
    const first = put('Host *\n', ['Include "a"'], 'first');
    expect(first.split('\n')).toEqual([
      expect.stringMatching(/^# >>> linuxkit-builder/),
      'Include "a"',
      '# <<< linuxkit-builder',
      'Host *',
      '',
    ]);
    expect(put('other\n', ['x'], 'last')).toMatch(/^other\n# >>> .*\nx\n# <<< linuxkit-builder\n$/);
  });

  test('is replaced where it stands, others around it untouched', () => {
    const once = put('above\n', ['one'], 'last') + 'below\n';
    const twice = put(once, ['two', 'three'], 'last');
    expect(twice).toBe(once.replace('one', 'two\nthree'));
    expect(blockLines(bytes(twice))).toEqual(['two', 'three']);
  });

  test('is moved to the front when others have come before it', () => {
    const moved = put('Host *\n' + put('', ['x'], 'first') + 'end\n', ['x'], 'first');
    expect(moved).toBe(put('Host *\nend\n', ['x'], 'first'));
  });

  test('is one, even where there were two', () => {
    const two = put('', ['a'], 'last') + 'between\n' + put('', ['b'], 'last');
    expect(put(two, ['c'], 'last')).toBe(put('between\n', ['c'], 'last'));
    expect(withoutBlock(bytes(two)).toString()).toBe('between\n');
  });

  test('is found where somebody left half a line break behind it', () => {
    const damaged = Buffer.concat([
      withBlock(Buffer.from('a\nb'), ['x'], 'last'),
      Buffer.from('\r'),
    ]);
    expect(blockLines(damaged)).toEqual(['x']);
    const put = withBlock(damaged, [], 'last');
    expect(withBlock(put, [], 'last').equals(put)).toBe(true);
  });

  test('takes the line ends of the file', () => {
    const text = put('a\r\nb\r\n', ['x'], 'first');
    expect(text.replaceAll('\r\n', '')).not.toContain('\n');
    expect(withoutBlock(bytes(text)).toString()).toBe('a\r\nb\r\n');
  });

  test('a mark without its other half is a comment of somebody', () => {
    const stray = put('', ['gone'], 'last').split('\n').slice(0, 2).join('\n') + '\nprecious\n';
    const text = put(stray, ['x'], 'last');
    expect(text.startsWith(stray)).toBe(true);
    expect(withoutBlock(bytes(text)).toString()).toBe(stray);
  });

  test('holds letters beyond ASCII as UTF-8, in a file that is not', () => {
    const latin = Buffer.from([0x23, 0xfc, 0xff, 0x0a]);
    const file = withBlock(latin, ['Include "/Users/Jürgen/x"'], 'first');
    expect(file.includes(bytes('Jürgen'))).toBe(true);
    expect(blockLines(file)).toEqual(['Include "/Users/Jürgen/x"']);
    expect(withoutBlock(file)).toEqual(latin);
  });

  const line = fc.stringMatching(/^[ -~äß]{0,12}$/);
  const file = fc
    .tuple(fc.array(fc.tuple(line, fc.constantFrom('\n', '\r\n'))), line)
    .map(([lines, last]) => bytes(lines.map(([text, eol]) => text + eol).join('') + last));
  const position = fc.constantFrom('first' as const, 'last' as const);

  test('put twice is put once, and taken out leaves the file as it was', () => {
    fc.assert(
      fc.property(file, fc.array(line), fc.array(line), position, (before, one, two, place) => {
        const once = withBlock(before, one, place);
        expect(withBlock(once, one, place)).toEqual(once);
        expect(withBlock(once, two, place)).toEqual(withBlock(before, two, place));
        expect(withoutBlock(once)).toEqual(before);
        expect(blockLines(once)).toEqual(one);
      }),
    );
  });
});
