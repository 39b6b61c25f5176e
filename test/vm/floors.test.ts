import { describe, expect, test } from 'vitest';
import {
  describeFloor,
  describeShortfall,
  floorsFor,
  isWithin,
  letsBuildsOut,
  shortfalls,
} from '../../src/vm/floors.ts';

const good = Object.fromEntries(floorsFor('amd64').map((floor) => [floor.package, floor.version]));

describe('the floors', () => {
  test('are reached by their own versions and later ones', () => {
    expect(shortfalls(good, floorsFor('amd64'))).toEqual([]);
    expect(shortfalls({ ...good, 'nix-bin': '2.34.8+dfsg-1+b1' }, floorsFor('amd64'))).toEqual([]);
  });

  test.each([
    ['nix-bin', '2.26.3+dfsg-1', 'its Nix 2.26.3+dfsg-1 is older than 2.34.5'],
    ['linux-image-cloud-amd64', '6.12.107-1', 'its Linux 6.12.107-1 is older than'],
    ['openssh-server', '1:10.0p1-7', 'its OpenSSH 1:10.0p1-7 is older than'],
    ['libc6', '2.41-12+deb13u5', 'its libc 2.41-12+deb13u5 is older than 2.43'],
  ])('%s %s is below', (name, version, words) =>
    expect(
      shortfalls({ ...good, [name]: version }, floorsFor('amd64')).map(describeShortfall),
    ).toEqual([expect.stringContaining(words)]),
  );

  test('are not reached by what is not there', () =>
    expect(shortfalls(good, floorsFor('arm64')).map(describeShortfall)).toEqual([
      'it does not contain linux-image-cloud-arm64',
    ]));

  // Behaviour 153: No image that this program makes contains kernel 6.13 or newer, because Rosetta on macOS 14 and 15
  // does not work with such kernels. An update that finds only newer kernels is refused, and the message says why.
  test('keep the kernel in its series, for a reason', () => {
    const floor = floorsFor('arm64').find(({ what }) => what === 'Linux');
    if (floor === undefined) return expect.unreachable();
    const within = (version: string) => isWithin(version, floor);
    expect(
      ['6.12.117-1', '6.12.999-1', '6.13-1', '6.17.8-1~bpo13+1', '6.1.5-1'].map(within),
    ).toEqual([true, true, false, false, false]);
    expect(describeFloor(floor)).toMatch(/ and below 6\.13: from that version on .*Rosetta/);
  });

  test('each have a reason', () => {
    for (const { why } of floorsFor('arm64')) expect(why).toMatch(/^\S.*[^.]$/);
  });
});

// Fixed in 2.28.6, 2.29.3, 2.30.4, 2.31.4, 2.32.7, 2.33.4 and 2.34.5; since 2.21, by the advisory.
test.each([
  ...['2.21.0', '2.26.3', '2.27.9', '2.28.5', '2.31.3', '2.34.4', '2.34', '2.30.3pre1'].map(
    (nix) => [nix, true] as const,
  ),
  ...[
    '2.3.18',
    '2.8.0',
    '2.20.9',
    '2.28.6',
    '2.31.4',
    '2.34.5',
    '2.34.8',
    '2.35.0',
    '3.0',
    '2.93.1 (Lix)',
    'x',
    '',
  ].map((nix) => [nix, false] as const),
])('Nix %s lets builds out: %j', (nix, expected) => expect(letsBuildsOut(nix)).toBe(expected));
