import { spawnSync } from 'node:child_process';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { bootable, unpackedKernel } from '../../src/image/tree/kernel.ts';
import { bzImage, elf } from '../fakes/fake-kernel.ts';

const image = Buffer.alloc(4096, 'code');
image.write('ARMd', 0x38, 'latin1');

/** An EFI zboot image around it (drivers/firmware/efi/libstub/zboot-header.S). */
function zboot(payload: Buffer): Buffer {
  const head = Buffer.alloc(64);
  head.write('MZ\0\0zimg', 'latin1');
  head.writeUInt32LE(64, 8);
  head.writeUInt32LE(payload.length, 12);
  head.write('gzip', 24, 'latin1');
  return Buffer.concat([head, payload, Buffer.from('what stands behind it')]);
}

// Behaviour 154: An arm64 kernel that comes compressed is unpacked when the image is made, because vfkit boots only
// uncompressed ones.
describe('a kernel for arm64', () => {
  test.each([
    ['an Image as it is', image],
    ['of gzip', gzipSync(image)],
    ['of zboot', zboot(gzipSync(image))],
    ['of xz', spawnSync('xz', ['-c'], { input: image }).stdout],
  ])('%s is an Image', async (_, kernel) =>
    expect(Buffer.from(await bootable(kernel, 'arm64')).equals(image)).toBe(true),
  );
  test('that is damaged is a failure', () =>
    expect(bootable(gzipSync(image).subarray(0, 30), 'arm64')).rejects.toMatchObject({
      failure: { kind: 'archive-broken' },
    }));
  test('that is not known stays as it is', async () => {
    const odd = Buffer.from('no kernel');
    expect(await bootable(odd, 'arm64')).toBe(odd);
  });
});

test('a kernel for amd64 unpacks itself', async () => {
  const packed = gzipSync(image);
  expect(await bootable(packed, 'amd64')).toBe(packed);
});

const sized = (packed: Buffer) => Buffer.concat([packed, Buffer.from([1, 2, 3, 4])]);
const packedBy = (program: string, input: Buffer) =>
  sized(spawnSync(program, ['-c'], { input }).stdout);
const endless = elf(['Xen', 5, 'xen-3.0'], ['Xen', 18, 'at 16 MB']);
endless.writeUInt32LE(0xffff_fff4, 64 + 2 * 56);
const pvh = elf(['Linux', 18, ''], ['Xen', 5, 'xen-3.0'], ['Xen', 18, 'at 16 MB']);

describe('a kernel for amd64 is also there unpacked', () => {
  test.each([
    ['of gzip', gzipSync(pvh)],
    ['of zstd', packedBy('zstd', pvh)],
    ['of xz', packedBy('xz', pvh)],
  ])('%s', async (_, payload) =>
    expect(await unpackedKernel(bzImage(payload), 'amd64')).toEqual(pvh),
  );

  test.each<[string, Buffer, ('amd64' | 'arm64')?]>([
    ['but for one that has no such entry', bzImage(gzipSync(elf(['Xen', 5, 'xen-3.0'])))],
    ['of another owner', bzImage(gzipSync(elf(['Linux', 18, 'x'])))],
    ['that is cut off', bzImage(gzipSync(pvh.subarray(0, 130)))],
    ['whose note has a name without end', bzImage(gzipSync(endless))],
    ['of which nothing but the beginning is there', bzImage(gzipSync(pvh.subarray(0, 40)))],
    ['that is no ELF file', bzImage(gzipSync(Buffer.from('code')))],
    ['packed by what is not known', bzImage(Buffer.from('BZh91AY'))],
    ['of an older boot protocol', bzImage(gzipSync(pvh), 0x207)],
    ['that is none', Buffer.from('no kernel')],
    ['for arm64', bzImage(gzipSync(pvh)), 'arm64'],
  ])('%s', async (_, kernel, arch = 'amd64') =>
    expect(await unpackedKernel(kernel, arch)).toBeUndefined(),
  );

  test('not where it is damaged', () =>
    expect(unpackedKernel(bzImage(gzipSync(pvh).subarray(0, 30)), 'amd64')).rejects.toMatchObject({
      failure: { kind: 'archive-broken' },
    }));
});
