import fc from '../fuzz/fast-check.ts';
import { expect, test } from 'vitest';
import { compareVersions } from '../../src/vm/debian-version.ts';

test.each([
  // Debian policy 5.6.12's own example, then the corners.
  ['1.0~~', '1.0~~a'],
  ['1.0~~a', '1.0~'],
  ['1.0~', '1.0'],
  ['1.0', '1.0a'],
  ['1.0a', '1.0+'],
  ['1.0', '1.0-1'],
  ['1.0-1', '1.0-1.1'],
  ['1.0-1', '1.0-1+deb13u1'],
  ['1.0-1~bpo12+1', '1.0-1'],
  ['2.9', '2.10'],
  ['9', '10'],
  ['6.12.94-1', '6.12.107-1'],
  ['99.9', '1:0.1'],
  ['1:1', '2:0'],
  ['1.2-3-1', '1.2-3-2'],
  ['1.0-a', '1.0-b'],
  ['1.a', '1.+'],
  ['12345678901234567890', '12345678901234567891'],
])('%s is older than %s', (older, newer) => {
  expect(compareVersions(older, newer)).toBeLessThan(0);
  expect(compareVersions(newer, older)).toBeGreaterThan(0);
});

test.each([
  ['1.0', '1.0'],
  ['0:1.0', '1.0'],
  ['1.01', '1.1'],
  ['1.0-0', '1.0'],
  ['1.0-00', '1.0-0'],
  ['', ''],
])('%s is the same as %s', (a, b) => expect(compareVersions(a, b)).toBe(0));

test('it is an order', () => {
  const version = fc.stringMatching(/^[0-9][0-9a-z.+~]{0,6}(-[0-9a-z.+~]{1,4})?$/);
  fc.assert(
    fc.property(version, version, version, (a, b, c) => {
      const sorted = [a, b, c].sort(compareVersions);
      expect(Math.sign(compareVersions(a, b))).toBe(-Math.sign(compareVersions(b, a)) + 0);
      expect(compareVersions(sorted[0] ?? '', sorted[2] ?? '')).toBeLessThanOrEqual(0);
    }),
  );
});
