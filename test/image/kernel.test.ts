import { spawnSync } from 'node:child_process';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { bootable } from '../../src/image/tree/kernel.ts';

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
