import zlib from 'node:zlib';
import { afterAll, expect, test, vi } from 'vitest';
import { xz } from '../fakes/fake-deb.ts';
import { saying } from '../fakes/saying.ts';

const plain = Buffer.from(Array.from({ length: 500_000 }, (_, i) => (i * i) & 0xff));
const packed = await xz(plain);
const { PATH } = process.env;
process.env['PATH'] = '';
// It looks for each program once.
vi.resetModules();
const { canDecompress, decompressWhole } = await import('../../src/image/tree/decompress.ts');
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

/** Of Node 22.15 and newer. */
const { zstdCompressSync } = zlib as { readonly zstdCompressSync?: (data: Buffer) => Buffer };

test('without a zstd program, a newer Node unpacks zstd, and with an older one it is a failure that says how to get one', async () => {
  expect(await canDecompress('zstd')).toBe(zstdCompressSync !== undefined);
  const zstd = zstdCompressSync?.(plain) ?? packed;
  const unpacked = decompressWhole('x', zstd, 'zstd');
  if (zstdCompressSync !== undefined) expect((await unpacked).equals(plain)).toBe(true);
  else
    await expect(unpacked).rejects.toMatchObject({
      failure: { kind: 'zstd-missing', hint: saying('zstd') },
    });
});
