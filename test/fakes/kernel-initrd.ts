/**
 * Reads an initrd as Linux does (init/initramfs.c: unpack_to_rootfs), as strictly: an uncompressed archive may begin
 * only on a 4-byte boundary, only zeros may stand between segments, and a compressed segment must be whole.
 */
import { execFileSync } from 'node:child_process';
import { gunzipSync } from 'node:zlib';

export interface Unpacked {
  readonly path: string;
  readonly mode: number;
  readonly mtime: number;
  readonly text: string;
}

/** One archive from `start`; `end` is where its trailer ends. */
export function readCpio(bytes: Buffer, start: number): { entries: Unpacked[]; end: number } {
  const entries: Unpacked[] = [];
  let at = start;
  for (;;) {
    if (at % 4 !== 0) throw new Error('broken padding');
    if (bytes.toString('latin1', at, at + 6) !== '070701') throw new Error('invalid magic');
    const field = (n: number) =>
      parseInt(bytes.toString('latin1', at + 6 + n * 8, at + 14 + n * 8), 16);
    const [mode, mtime, size, nameLength] = [field(1), field(5), field(6), field(11)];
    const nameEnd = at + 110 + nameLength;
    if (bytes[nameEnd - 1] !== 0) throw new Error('name without end');
    const path = bytes.toString('utf8', at + 110, nameEnd - 1);
    const dataStart = alignUp(nameEnd);
    if (dataStart + size > bytes.length) throw new Error('unexpected end');
    if (path === 'TRAILER!!!') return { entries, end: nameEnd };
    entries.push({ path, mode, mtime, text: bytes.toString('utf8', dataStart, dataStart + size) });
    at = alignUp(dataStart + size);
  }
}

/**
 * All segments of an initrd, in order. The length of a first, compressed segment is told by the caller, since Node's
 * and the shell's decompressors do not say where they ended; the kernel goes on at the byte after it.
 */
export function readInitrd(bytes: Buffer, firstLength: number): Unpacked[] {
  const entries: Unpacked[] = [];
  let at = 0;
  const decompressor = decompressors.find(({ magic }) =>
    bytes.subarray(0, magic.length).equals(magic),
  );
  if (decompressor !== undefined) {
    entries.push(...readCpio(decompressor.unpack(bytes.subarray(0, firstLength)), 0).entries);
    at = firstLength;
  }
  while (at < bytes.length) {
    if (bytes[at] === 0) at += 1;
    else if (at % 4 !== 0) throw new Error('invalid magic at the start of a segment');
    else {
      const segment = readCpio(bytes, at);
      entries.push(...segment.entries);
      at = segment.end;
    }
  }
  return entries;
}

const alignUp = (n: number) => Math.ceil(n / 4) * 4;

const piped = (program: string) => (bytes: Buffer) =>
  execFileSync(program, ['-dc'], { input: bytes, maxBuffer: 1 << 28 });

const decompressors = [
  { magic: Buffer.from([0x1f, 0x8b]), unpack: (bytes: Buffer) => gunzipSync(bytes) },
  { magic: Buffer.from([0xfd, 0x37]), unpack: piped('xz') },
  { magic: Buffer.from([0x28, 0xb5]), unpack: piped('zstd') },
];
