/** The mark that formatting leaves on a disk. */
import { closeSync, existsSync, openSync, readSync } from 'node:fs';

/** ext4: the superblock starts at byte 1024; at 0x38 is its magic, at 0x68 the UUID that mkfs drew (kernel, fs/ext4/ext4.h). */
const superblock = { at: 1024, magicAt: 0x38, uuidAt: 0x68, uuidLength: 16, length: 256 };

/** The UUID of the file system on that disk; undefined while there is none. */
export function diskMark(path: string): string | undefined {
  if (!existsSync(path)) return undefined;
  const fd = openSync(path, 'r');
  try {
    const head = Buffer.alloc(superblock.length);
    readSync(fd, head, 0, head.length, superblock.at);
    if (head.readUInt16LE(superblock.magicAt) !== 0xef53) return undefined;
    const { uuidAt, uuidLength } = superblock;
    return head.toString('hex', uuidAt, uuidAt + uuidLength);
  } finally {
    closeSync(fd);
  }
}
