import { describe, expect, test } from 'vitest';
import type { Request } from '../../src/image/debian/candidates.ts';
import { parsePackageIndex, type PackageIndex } from '../../src/image/debian/package-index.ts';
import { parseRelations } from '../../src/image/debian/relation.ts';
import { resolve } from '../../src/image/debian/resolve.ts';

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
    'stable',
  );

const resolveFrom = (
  requested: string[],
  without: string[],
  index: PackageIndex,
  more: Partial<Request> = {},
) =>
  resolve({
    requested,
    without,
    releases: [{ name: 'stable', index }],
    from: {},
    floors: [],
    ...more,
  });

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
    expect(namesOf(resolveFrom(['a'], [], indexOf(...lines)))).toEqual(expected),
  );

  test('leaves out what it is told to, with what only that needs', () => {
    const index = indexOf('a 1; Depends: b, c | b', 'b 1; Depends: d', 'c 1', 'd 1');
    expect(namesOf(resolveFrom(['a'], ['b'], index))).toEqual(['a 1']);
  });

  test('takes a provider that is left out for present', () => {
    const index = indexOf('a 1; Depends: init', 'b 1; Provides: init', 'c 1; Provides: init');
    expect(namesOf(resolveFrom(['a'], ['c'], index))).toEqual(['a 1']);
  });

  test('names all that is missing and who wants it', () => {
    const index = indexOf('a 1; Depends: b (>= 2) | x, y', 'b 1');
    expect(resolveFrom(['a', 'z'], [], index)).toEqual({
      ok: false,
      missing: ['z (for the recipe)', 'b (>= 2) | x (for a)', 'y (for a)'],
      conflicts: [],
    });
  });
});

// Behaviour 151: Each dependency of a package comes from the Debian release that the recipe (the choice of packages
// for an image) names, or, if that one has no suitable version, from another release. For some packages, such as Nix
// and the kernel, the program has a lowest acceptable version, and no older one enters an image.
describe('of two releases', () => {
  const of = (stable: string[], testing: string[], more: Partial<Request> = {}) =>
    namesOf(
      resolveFrom(['a'], [], indexOf(), {
        releases: [
          { name: 'stable', index: indexOf(...stable) },
          { name: 'testing', index: indexOf(...testing) },
        ],
        ...more,
      }),
    );
  const floor = (name: string, version: string) => ({
    floors: [{ what: 'Nix' as const, package: name, version, why: 'there is a hole' }],
  });

  test.each<[string, string[], string[], string[], Partial<Request>?]>([
    ['the first, though the second is newer', ['a 1'], ['a 2'], ['a 1']],
    [
      'the second for what is asked of it',
      ['a 1', 'b 1'],
      ['a 2; Depends: b', 'b 2'],
      ['a 2', 'b 1'],
      { from: { a: 'testing' } },
    ],
    [
      'the first for another alternative',
      ['a 1; Depends: b (>= 2) | c', 'b 1', 'c 1'],
      ['b 2'],
      ['a 1', 'c 1'],
    ],
    [
      'the second where only that meets a relation',
      ['a 1; Depends: b (>= 2), c', 'c 1'],
      ['b 2', 'c 2'],
      ['a 1', 'b 2', 'c 1'],
    ],
    [
      'what is needed later of what was taken before, and once',
      ['a 1; Depends: c, b', 'c 1', 'b 1; Depends: d (>= 2)'],
      ['c 2', 'd 2; Depends: c (>= 2)'],
      ['a 1', 'b 1', 'c 2', 'd 2'],
    ],
    [
      'the one that is not broken by another',
      ['a 1; Depends: b, c (>= 2)', 'b 1', 'c 1'],
      ['b 2', 'c 2; Breaks: b (<< 2)'],
      ['a 1', 'b 2', 'c 2'],
    ],
    [
      'a replacement of what another conflicts with',
      ['a 1; Depends: b, m', 'b 1; Conflicts: m', 'm 1'],
      ['b 2'],
      ['a 1', 'b 2', 'm 1'],
    ],
    [
      'itself, though it conflicts with what it provides',
      ['a 1; Conflicts: m; Provides: m'],
      [],
      ['a 1'],
    ],
    ['nothing below a floor', ['a 1; Depends: b', 'b 1'], ['b 2'], ['a 1', 'b 2'], floor('b', '2')],
    [
      'what is kept before all',
      ['a 3; Depends: b', 'b 3'],
      ['a 4'],
      ['a 1', 'b 2'],
      { kept: indexOf('a 1; Depends: b', 'b 2') },
    ],
    [
      'anew what is gone, and what needs just that, and nothing else',
      ['a 3; Depends: i (= 3), c', 'i 3', 'c 3'],
      [],
      ['a 3', 'c 1', 'i 3'],
      { kept: indexOf('a 1; Depends: i (= 1), c', 'c 1') },
    ],
  ])('takes %s', (_, stable, testing, expected, more) =>
    expect(of(stable, testing, more)).toEqual(expected),
  );

  test('names what cannot be there together', () =>
    expect(of(['a 1; Depends: b', 'b 1; Breaks: a (<< 2)'], [])).toEqual({
      ok: false,
      missing: [],
      conflicts: ['b 1 with a 1'],
    }));

  test('names the floor that nothing reaches', () =>
    expect(of(['a 1; Depends: b', 'b 1'], ['b 1.5'], floor('b', '2'))).toMatchObject({
      missing: ['b, at least 2 (for a)'],
    }));

  const series = (name: string, version: string) => {
    const [first] = floor(name, '2').floors;
    return {
      floors:
        first === undefined ? [] : [{ ...first, below: { version, why: 'it is another one' } }],
    };
  };
  test('keeps a series, though both have newer ones', () =>
    expect(of(['a 1; Depends: b', 'b 2.9', 'b 3'], ['b 4'], series('b', '3'))).toEqual([
      'a 1',
      'b 2.9',
    ]));
  // Behaviour 153: No image that this program makes contains kernel 6.13 or newer, because Rosetta on macOS 14 and 15
  // does not work with such kernels. An update that finds only newer kernels is refused, and the message says why.
  test('names the series that nothing is of any more, and why it is kept', () =>
    expect(of(['a 1; Depends: b', 'b 3'], ['b 4'], series('b', '3'))).toMatchObject({
      missing: ['b, at least 2 and below 3: from that version on it is another one (for a)'],
    }));
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
    expect(parsePackageIndex(bad.join('\n'), 's').size).toBe(0);
    expect(parsePackageIndex(good, 's').size).toBe(1);
  });

  test.each([
    '../a.deb',
    'pool/../../a.deb',
    'pool/%2e%2e/%2e%2e/a.deb',
    'pool/.%2E/a.deb',
    'pool/./a.deb',
    'pool/%2fa.deb',
    'pool%2f..%2fa.deb',
    'pool/%252e%252e/a.deb',
    'pool//a.deb',
    '//host/a.deb',
    'pool/%',
    'pool/%00a.deb',
    'pool/%5c..%5ca.deb',
    'pool/a.deb?x',
    'http://host/a.deb',
    '/a.deb',
  ])('a place that is not plainly below the mirror is none: %s', (filename) => {
    const text = `Package: a\nVersion: 1\nFilename: ${filename}\nSize: 1\nSHA256: ${hash}\n`;
    expect(parsePackageIndex(text, 's').size).toBe(0);
  });

  test.each(['pool/main/liba/a+b_1.0~rc1-1_amd64.deb', 'pool/a_1%3a2.0.deb', 'pool/a..b/a.deb'])(
    'a place below it is one: %s',
    (filename) => {
      const text = `Package: a\nVersion: 1\nFilename: ${filename}\nSize: 1\nSHA256: ${hash}\n`;
      expect(parsePackageIndex(text, 's').size).toBe(1);
    },
  );
});

test('relations are read with their old signs and without empty ones', () =>
  expect(parseRelations('a (> 1) , b(<2)|c, , d ( >> 3~ )')).toEqual([
    [{ name: 'a', version: { operator: '>=', than: '1' } }],
    [{ name: 'b', version: { operator: '<=', than: '2' } }, { name: 'c' }],
    [{ name: 'd', version: { operator: '>>', than: '3~' } }],
  ]));
