import { afterAll, expect, test, vi } from 'vitest';
import { xz } from '../fakes/fake-deb.ts';
import { saying } from '../fakes/saying.ts';

const plain = Buffer.from(Array.from({ length: 500_000 }, (_, i) => (i * i) & 0xff));
const packed = await xz(plain);
const { PATH } = process.env;
process.env['PATH'] = '';
// It looks for each program once.
vi.resetModules();
const { decompressWhole } = await import('../../src/image/tree/decompress.ts');
afterAll(() => {
  process.env['PATH'] = PATH;
});

test('without an xz program, xz is unpacked all the same', async () =>
  expect((await decompressWhole('x', packed, 'xz')).equals(plain)).toBe(true));

test('without an xz program, damage is still a failure', async () => {
  const damaged = Buffer.from(packed);
  damaged.fill(0xff, packed.length >> 1, (packed.length >> 1) + 8);
  await expect(decompressWhole('x', damaged, 'xz')).rejects.toMatchObject({
    failure: { kind: 'archive-broken' },
  });
});

test('without a zstd program, zstd is a failure that says how to get one', async () =>
  expect(decompressWhole('x', packed, 'zstd')).rejects.toMatchObject({
    failure: { kind: 'zstd-missing', hint: saying('zstd') },
  }));
