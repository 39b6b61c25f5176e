/** A kernel as every VM program can boot it. */
import { decompressWhole, type Compression } from './decompress.ts';
import type { Arch } from '../recipe.ts';

/**
 * An arm64 kernel as the uncompressed Image that vfkit and HVF take; distributions pack it by gzip and others, or as an EFI zboot image.
 * An x86 kernel unpacks itself, and stays as it is, and so does what is not known.
 */
export async function bootable(
  kernel: Uint8Array,
  arch: Arch,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const packed = arch === 'arm64' ? payloadOf(kernel) : undefined;
  if (packed === undefined) return kernel;
  return decompressWhole('the kernel', packed.data, packed.compression, signal);
}

interface Payload {
  readonly data: Uint8Array;
  readonly compression: Compression;
}

/** `MZ`, then `zimg`, offset and size of the payload, and at byte 24 the name of its compression (drivers/firmware/efi/libstub/zboot-header.S). */
function payloadOf(kernel: Uint8Array): Payload | undefined {
  const bytes = Buffer.from(kernel.buffer, kernel.byteOffset, kernel.byteLength);
  // Documentation/arch/arm64/booting.rst.
  if (bytes.toString('latin1', 56, 60) === 'ARM\x64') return undefined;
  const isZboot = bytes.toString('latin1', 4, 8) === 'zimg';
  const from = isZboot ? bytes.readUInt32LE(8) : 0;
  const data = isZboot ? bytes.subarray(from, from + bytes.readUInt32LE(12)) : bytes;
  const compression = packedBy(data);
  return compression === undefined ? undefined : { data, compression };
}

const magics = {
  gzip: '1f8b',
  zstd: '28b52ffd',
  xz: 'fd377a585a00',
} as const satisfies Partial<Record<Compression, string>>;

const packedBy = (data: Buffer): keyof typeof magics | undefined => {
  const head = data.subarray(0, 6).toString('hex');
  return (['gzip', 'zstd', 'xz'] as const).find((each) => head.startsWith(magics[each]));
};
