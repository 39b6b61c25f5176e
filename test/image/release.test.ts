import { mkdtempSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fetchIndex, fetchRelease, parseRelease } from '../../src/image/debian/release.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { FakeMirror, fakeKey, sha256 } from '../fakes/fake-mirror.ts';
import { removeTree } from '../remove-tree.ts';

const key = await fakeKey();
let mirror: FakeMirror;
let directory = '';
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'release-'));
  mirror = await FakeMirror.start(key);
  await mirror.publish([{ name: 'a' }]);
});
afterEach(async () => {
  await mirror[Symbol.asyncDispose]();
  removeTree(directory);
});

const options = () => ({ directory, clock: new FakeClock(Date.parse('2026-02-01')), retries: 0 });
const release = (notBefore?: string) =>
  fetchRelease(mirror.url, 'trixie', [key.armored], {
    ...options(),
    notBefore: notBefore === undefined ? undefined : new Date(notBefore),
  });

test('a signed release leads to its packages', async () => {
  const found = await release();
  expect(found.date).toEqual(new Date('2026-01-02T03:04:05Z'));
  const index = await fetchIndex(mirror.url, found, 'arm64', options());
  expect([...index.keys()]).toEqual(['a']);
});

test('an index that is there is not fetched again', async () => {
  const found = await release();
  await fetchIndex(mirror.url, found, 'amd64', options());
  await fetchIndex(mirror.url, found, 'amd64', options());
  expect(mirror.requests.filter((path) => path.includes('Packages'))).toHaveLength(1);
});

describe('is a named failure and leaves nothing:', () => {
  const fails = async (work: Promise<unknown>, kind: string) => {
    await expect(work).rejects.toMatchObject({ failure: { kind } });
    expect(readdirSync(directory).filter((name) => !name.startsWith('downloading'))).toEqual([]);
  };

  test('a wrong signature', async () => {
    await mirror.sign('Codename: trixie\nDate: today\n', await fakeKey());
    await fails(release(), 'release-wrong-signature');
  });

  test('tampered text', async () => {
    const path = 'dists/trixie/InRelease';
    const text = mirror.files.get(path)?.toString() ?? '';
    mirror.files.set(path, Buffer.from(text.replace('Origin: Test', 'Origin: Best')));
    await fails(release(), 'release-wrong-signature');
  });

  test('an older release than the lock', async () => {
    await expect(release('2026-01-02T03:04:05Z')).resolves.toBeDefined();
    await fails(release('2026-01-02T03:04:06Z'), 'release-older');
  });

  test('a release that held until yesterday, unless that is accepted', async () => {
    await mirror.publish([{ name: 'a' }], { validUntil: new Date('2026-01-31') });
    await fails(release(), 'release-expired');
    const found = await fetchRelease(mirror.url, 'trixie', [key.armored], {
      ...options(),
      acceptExpired: true,
    });
    expect(found.validUntil).toEqual(new Date('2026-01-31'));
    await mirror.publish([{ name: 'a' }], { validUntil: new Date('2026-02-02') });
    await expect(release()).resolves.toBeDefined();
  });

  test('the release of another suite', async () => {
    await mirror.publish([], { codename: 'sid' });
    await fails(release(), 'release-wrong');
  });

  test('a signed text that is no release', async () => {
    await mirror.sign('hello\n');
    await fails(release(), 'release-wrong');
  });

  test('no release', async () => {
    mirror.files.clear();
    await fails(release(), 'not-on-mirror');
  });

  test('a release that never ends', async () => {
    mirror.files.set('dists/trixie/InRelease', Buffer.alloc(9 * 1024 * 1024));
    await fails(release(), 'mirror-refused');
  });

  test('a wrong index', async () => {
    const found = await release();
    const path = 'dists/trixie/main/binary-amd64/Packages.xz';
    const index = mirror.files.get(path) ?? Buffer.alloc(0);
    mirror.files.set(path, Buffer.concat([index.subarray(1), Buffer.alloc(1)]));
    await fails(fetchIndex(mirror.url, found, 'amd64', options()), 'download-wrong-hash');
  });

  test('an architecture that the release does not have', async () => {
    const found = await release();
    await fails(fetchIndex(mirror.url, found, 'm68k', options()), 'release-wrong');
  });
});

test('a release needs a codename and a date; lines that are none are passed over', () => {
  expect(parseRelease('')).toBeUndefined();
  expect(parseRelease('Codename: trixie\nDate: nonsense\n')).toBeUndefined();
  const hash = sha256('x');
  const found = parseRelease(
    `Codename: trixie\nDate: Fri, 02 Jan 2026 03:04:05 UTC\nSHA256:\n ${hash} 12 main/x\n ${hash} twelve main/y\n short 1 z\n`,
  );
  expect([...(found?.files ?? [])]).toEqual([['main/x', { sha256: hash, size: 12 }]]);
});
