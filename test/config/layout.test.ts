import { describe, expect, test } from 'vitest';
import {
  defaultStateDirectory,
  layoutOf,
  maxSocketPath,
  stateDirectoryProblems,
} from '../../src/config/layout.ts';

const longest = Buffer.byteLength(layoutOf('').control);

describe('a state directory', () => {
  test.each([
    '/home/jörg müller/.cache/nix-linuxkit-builder',
    '/a',
    `/${'x'.repeat(maxSocketPath - longest - 2)}`,
  ])('%j is fit', (root) => expect(stateDirectoryProblems(root)).toEqual([]));

  test.each([
    'relative',
    '/a,b',
    '/a"b',
    "/a'b",
    '/a\nb',
    '/a%b',
    '/a$b',
    '/a\\b',
    '/a;b',
    '/a\u0000b',
  ])('%j is refused', (root) => expect(stateDirectoryProblems(root).length).toBe(1));

  test('one byte more than a socket can have is refused, counted in bytes', () => {
    const fits = `/${'x'.repeat(maxSocketPath - longest - 2)}`;
    expect(Buffer.byteLength(layoutOf(fits).control)).toBe(maxSocketPath);
    expect(stateDirectoryProblems(fits)).toEqual([]);
    expect(stateDirectoryProblems(`${fits}x`)[0]?.message).toContain(`${maxSocketPath + 1} bytes`);
    expect(stateDirectoryProblems(`${fits.slice(0, -1)}ü`)).toHaveLength(1);
  });

  test("no path of the map is longer than the control socket's or outside the root", () => {
    const map = layoutOf('/r');
    for (const path of [map.qmp, map.agent, map.control])
      expect(path.length).toBeLessThanOrEqual(map.control.length);
    for (const path of Object.values(map))
      if (typeof path === 'string') expect(path.startsWith('/r')).toBe(true);
  });
});

describe('the default', () => {
  test('is below ~/.cache', () =>
    expect(defaultStateDirectory({}, '/h')).toBe('/h/.cache/nix-linuxkit-builder'));
  test('follows XDG_CACHE_HOME', () =>
    expect(defaultStateDirectory({ XDG_CACHE_HOME: '/c' }, '/h')).toBe('/c/nix-linuxkit-builder'));
  test('ignores a relative one, as the standard says', () =>
    expect(defaultStateDirectory({ XDG_CACHE_HOME: 'c' }, '/h')).toBe(
      '/h/.cache/nix-linuxkit-builder',
    ));
});
