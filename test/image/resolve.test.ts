import { describe, expect, test } from 'vitest';
import { parsePackageIndex } from '../../src/image/package-index.ts';
import { parseRelations } from '../../src/image/relation.ts';
import { resolve } from '../../src/image/resolve.ts';

const hash = 'a'.repeat(64);

/** `name version; Field: value; ...` a line -> an index. */
const indexOf = (...lines: readonly string[]) =>
  parsePackageIndex(
    lines
      .map((line) => {
        const [head = '', ...fields] = line.split(';').map((part) => part.trim());
        const [name, version] = head.split(' ');
        return `Package: ${name}\nVersion: ${version}\n${fields.map((f) => `${f}\n`).join('')}Filename: pool/${name}.deb\nSize: 1\nSHA256: ${hash}\n`;
      })
      .join('\n'),
  );

const namesOf = (resolved: ReturnType<typeof resolve>) =>
  resolved.ok ? resolved.packages.map(({ name, version }) => `${name} ${version}`) : resolved;

describe('resolve', () => {
  test.each([
    [
      'what it depends on, and that in turn',
      ['a 1; Depends: b, c', 'b 1; Pre-Depends: d', 'c 1', 'd 1', 'e 1'],
      ['a 1', 'b 1', 'c 1', 'd 1'],
    ],
    ['the newest version', ['a 1', 'a 10', 'a 9'], ['a 10']],
    [
      'the newest that is taken',
      ['a 1; Depends: b (<< 2)', 'b 1', 'b 1.9', 'b 2'],
      ['a 1', 'b 1.9'],
    ],
    ['the exact one', ['a 1; Depends: b (= 1)', 'b 1', 'b 2'], ['a 1', 'b 1']],
    ['the first alternative', ['a 1; Depends: x | b | c', 'b 1', 'c 1'], ['a 1', 'b 1']],
    [
      'an alternative that is there already',
      ['a 1; Depends: c, b | c', 'b 1', 'c 1'],
      ['a 1', 'c 1'],
    ],
    [
      'what is provided',
      ['a 1; Depends: mail', 'z 1; Provides: mail', 'b 1; Provides: mail'],
      ['a 1', 'b 1'],
    ],
    [
      'a real package before a provider',
      ['a 1; Depends: b', 'b 1', 'c 2; Provides: b (= 2)'],
      ['a 1', 'b 1'],
    ],
    [
      'a provided version',
      ['a 1; Depends: m (>= 2)', 'b 1; Provides: m', 'c 1; Provides: m (= 2)'],
      ['a 1', 'c 1'],
    ],
    ['a circle', ['a 1; Depends: b', 'b 1; Depends: a'], ['a 1', 'b 1']],
    ['an architecture qualifier', ['a 1; Depends: b:any (>= 1)', 'b 1'], ['a 1', 'b 1']],
  ])('takes %s', (_, lines, expected) =>
    expect(namesOf(resolve(['a'], [], indexOf(...lines)))).toEqual(expected),
  );

  test('leaves out what it is told to, with what only that needs', () => {
    const index = indexOf('a 1; Depends: b, c | b', 'b 1; Depends: d', 'c 1', 'd 1');
    expect(namesOf(resolve(['a'], ['b'], index))).toEqual(['a 1']);
  });

  test('takes a provider that is left out for present', () => {
    const index = indexOf('a 1; Depends: init', 'b 1; Provides: init', 'c 1; Provides: init');
    expect(namesOf(resolve(['a'], ['c'], index))).toEqual(['a 1']);
  });

  test('names all that is missing and who wants it', () => {
    const index = indexOf('a 1; Depends: b (>= 2) | x, y', 'b 1');
    expect(resolve(['a', 'z'], [], index)).toEqual({
      ok: false,
      missing: ['z (for the recipe)', 'b (>= 2) | x (for a)', 'y (for a)'],
    });
  });
});

describe('an index', () => {
  test('leaves out what has no hash, no name or a place elsewhere', () => {
    const good = `Package: a\nVersion: 1\nFilename: pool/a.deb\nSize: 1\nSHA256: ${hash}\n`;
    const bad = [
      good.replace('pool/a.deb', '../a.deb'),
      good.replace('pool/a.deb', '/etc/passwd'),
      good.replace('pool/a.deb', 'pool/a b.deb'),
      good.replace(hash, 'abc'),
      good.replace('Package: a\n', ''),
    ];
    expect(parsePackageIndex(bad.join('\n')).size).toBe(0);
    expect(parsePackageIndex(good).size).toBe(1);
  });

  test.each([
    ...[
      '../a.deb',
      'pool/../../a.deb',
      'pool/%2e%2e/%2e%2e/a.deb',
      'pool/.%2E/a.deb',
      'pool/./a.deb',
    ],
    ...[
      'pool/%2fa.deb',
      'pool%2f..%2fa.deb',
      'pool/%252e%252e/a.deb',
      'pool//a.deb',
      '//host/a.deb',
    ],
    ...[
      'pool/%',
      'pool/%00a.deb',
      'pool/%5c..%5ca.deb',
      'pool/a.deb?x',
      'http://host/a.deb',
      '/a.deb',
    ],
  ])('a place that is not plainly below the mirror is none: %s', (filename) => {
    const text = `Package: a\nVersion: 1\nFilename: ${filename}\nSize: 1\nSHA256: ${hash}\n`;
    expect(parsePackageIndex(text).size).toBe(0);
  });

  test.each(['pool/main/liba/a+b_1.0~rc1-1_amd64.deb', 'pool/a_1%3a2.0.deb', 'pool/a..b/a.deb'])(
    'a place below it is one: %s',
    (filename) => {
      const text = `Package: a\nVersion: 1\nFilename: ${filename}\nSize: 1\nSHA256: ${hash}\n`;
      expect(parsePackageIndex(text).size).toBe(1);
    },
  );
});

test('relations are read with their old signs and without empty ones', () =>
  expect(parseRelations('a (> 1) , b(<2)|c, , d ( >> 3~ )')).toEqual([
    [{ name: 'a', version: { operator: '>=', than: '1' } }],
    [{ name: 'b', version: { operator: '<=', than: '2' } }, { name: 'c' }],
    [{ name: 'd', version: { operator: '>>', than: '3~' } }],
  ]));
