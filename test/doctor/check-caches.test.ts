import { advice, ours } from '../../src/system/advice.ts';
import { describe, expect, test } from 'vitest';
import { judgeCaches, type Surroundings } from '../../src/doctor/check-caches.ts';
import type { Cache } from '../../src/guest/login/caches.ts';

const url = 'https://cache.test';
const around = (more: Partial<Surroundings>): Surroundings => ({
  reachedFromHere: [url],
  network: 'user',
  nameServers: ['192.0.2.1'],
  ...more,
});
const unnamed: Cache = { url, state: 'unnamed' };
const unreached: Cache = { url, state: 'unreached', said: 'no way' };

// Behaviour 138: `doctor` checks inside the guest whether the guest's Nix can resolve the names of the caches that it
// is set to use, and can reach them.
describe('names and caches', () => {
  test('that are reached are good, and so is a guest that asks none', () => {
    expect(judgeCaches([{ url, state: 'reached' }], around({})).kind).toBe('good');
    expect(judgeCaches([], around({})).kind).toBe('good');
  });

  test.each([
    ['an IPv4 name server', { nameServers: ['::1', '192.0.2.1'] }, '192.0.2.1'],
    ['none but of IPv6', { nameServers: ['::1'] }, '/etc/resolv.conf'],
  ])("by QEMU's own network need gvproxy: with %s", (_, more, why) => {
    const verdict = judgeCaches(
      [{ url: 'http://b.test', state: 'reached' }, unnamed],
      around(more),
    );
    expect(verdict).toMatchObject({
      kind: 'bad',
      what: expect.stringContaining(url) as string,
      remedy: advice`${ours('configure', '--network gvproxy')}, then ${ours('restart')}`,
    });
    expect(verdict).toHaveProperty('why', expect.stringContaining(why));
  });

  test('by another program need a start', () =>
    expect(judgeCaches([unreached], around({ network: 'gvproxy' }))).toMatchObject({
      kind: 'bad',
      why: expect.stringMatching(/no way\. gvproxy /) as string,
      remedy: ours('restart'),
    }));

  test('that this machine does not reach either are less than usual, and nothing of the guest’s', () =>
    expect(judgeCaches([unreached], around({ reachedFromHere: [] }))).toMatchObject({
      kind: 'note',
      isLess: true,
    }));

  test('name first what only the guest lacks', () =>
    expect(
      judgeCaches([{ url: 'http://b.test', state: 'unnamed' }, unreached], around({})),
    ).toMatchObject({ kind: 'bad', what: expect.stringContaining(url) as string }));
});
