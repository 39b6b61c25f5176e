/** A kernel as every VM program can boot it, and as one that need not unpack itself. */
import { canDecompress, decompressWhole, type Compression } from './decompress.ts';
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

/**
 * What an x86 kernel unpacks itself to, where a VM program can boot that as it is (PVH: Documentation/arch/x86/boot.rst and xen.h's
 * XEN_ELFNOTE_PHYS32_ENTRY). Undefined where it is not known to be so, where nothing here unpacks it, and for other processors.
 */
export async function unpackedKernel(
  kernel: Uint8Array,
  arch: Arch,
  signal?: AbortSignal,
): Promise<Uint8Array | undefined> {
  const packed = arch === 'amd64' ? payloadOfX86(kernel) : undefined;
  if (packed === undefined) return undefined;
  const { data, compression } = packed;
  if (!(await canDecompress(compression))) return undefined;
  const unpacked = await decompressWhole('the kernel', data, compression, signal);
  return hasPvhEntry(unpacked) ? unpacked : undefined;
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

/** Sectors of the set-up code, then the protected-mode code with the payload in it, whose place is known from version 2.08 on. */
function payloadOfX86(kernel: Uint8Array): Payload | undefined {
  const bytes = Buffer.from(kernel.buffer, kernel.byteOffset, kernel.byteLength);
  if (bytes.length < 0x250 || bytes.toString('latin1', 0x202, 0x206) !== 'HdrS') return undefined;
  if (bytes.readUInt16LE(0x206) < 0x208) return undefined;
  const from = ((bytes[0x1f1] ?? 0) + 1) * 512 + bytes.readUInt32LE(0x248);
  const payload = bytes.subarray(from, from + bytes.readUInt32LE(0x24c));
  const compression = packedBy(payload);
  if (compression === undefined) return undefined;
  // The build puts the unpacked size behind what gzip alone has in itself (scripts/Makefile.lib, size_append).
  const data = compression === 'gzip' ? payload : payload.subarray(0, -4);
  return { data, compression };
}

/** A note of the owner `Xen` and type 18 in an ELF file of 64 bits. */
function hasPvhEntry(unpacked: Buffer): boolean {
  if (unpacked.length < 64 || unpacked.toString('latin1', 0, 5) !== '\x7fELF\x02') return false;
  const [headers, size, count] = [
    Number(unpacked.readBigUInt64LE(32)),
    unpacked.readUInt16LE(54),
    unpacked.readUInt16LE(56),
  ];
  for (let n = 0; n < count; n++) {
    const header = unpacked.subarray(headers + n * size, headers + (n + 1) * size);
    if (header.length < 40 || header.readUInt32LE(0) !== noteSegment) continue;
    const [from, length] = [header.readBigUInt64LE(8), header.readBigUInt64LE(32)].map(Number);
    if (notesOf(unpacked.subarray(from, (from ?? 0) + (length ?? 0))).includes('Xen 18'))
      return true;
  }
  return false;
}

const noteSegment = 4;

/** Owner and type of each: three numbers, then name and content, each padded to 4. */
function notesOf(segment: Buffer): string[] {
  const notes: string[] = [];
  for (let at = 0; at + 12 <= segment.length;) {
    const [name, content] = [segment.readUInt32LE(at), segment.readUInt32LE(at + 4)];
    const owner = segment.toString('latin1', at + 12, at + 12 + name).replace(/\0$/, '');
    notes.push(`${owner} ${segment.readUInt32LE(at + 8)}`);
    at += 12 + padded(name) + padded(content);
  }
  return notes;
}

const padded = (length: number): number => Math.ceil(length / 4) * 4;

const magics = {
  gzip: '1f8b',
  zstd: '28b52ffd',
  xz: 'fd377a585a00',
} as const satisfies Partial<Record<Compression, string>>;

const packedBy = (data: Buffer): keyof typeof magics | undefined => {
  const head = data.subarray(0, 6).toString('hex');
  return (['gzip', 'zstd', 'xz'] as const).find((each) => head.startsWith(magics[each]));
};
