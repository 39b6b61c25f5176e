/** Whether a file is a squashfs, whole, of so many files: what made it may have ended well and made nothing. */
import { closeSync, openSync, readSync } from 'node:fs';
import { sizeIfThere } from '../../system/files/files.ts';

/** What is wrong with the file, in words that follow its name; undefined when nothing is. `inodes`: how many it has to have. */
export function squashfsFault(path: string, inodes: number): string | undefined {
  const size = sizeIfThere(path);
  if (size === undefined) return 'was not created';
  if (size < superblockBytes) return size === 0 ? 'is empty' : `has ${size} bytes`;
  const block = headOf(path);
  // Offsets of struct squashfs_super_block (Linux, fs/squashfs/squashfs_fs.h); all little-endian.
  const [magic, found] = [block.readUInt32LE(0), block.readUInt32LE(4)];
  const [compressor, version, used] = [
    block.readUInt16LE(20),
    block.readUInt16LE(28),
    block.readBigUInt64LE(40),
  ];
  if (magic !== 0x73717368 || version !== 4) return 'is not a squashfs of version 4';
  if (compressor !== lz4) return `is compressed with method ${compressor} instead of lz4`;
  if (used > BigInt(size)) return `has ${size} of its ${used} bytes`;
  return found === inodes ? undefined : `has ${found} of ${inodes} files`;
}

/** Of version 4.0 (kernel, fs/squashfs/squashfs_fs.h). */
const superblockBytes = 96;

/** Number of the compressor in the superblock. */
const lz4 = 5;

function headOf(path: string): Buffer {
  const block = Buffer.alloc(superblockBytes);
  const file = openSync(path, 'r');
  try {
    readSync(file, block, 0, superblockBytes, 0);
    return block;
  } finally {
    closeSync(file);
  }
}
