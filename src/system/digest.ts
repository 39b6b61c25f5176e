/** Data told apart by its content. */
import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';

/** In hexadecimal digits. */
export const sha256 = (data: string | Uint8Array): string =>
  createHash('sha256').update(data).digest('hex');

const MiB = 1024 * 1024;

/** Of a whole file, which may be larger than the memory that is left. */
export function sha256OfFile(path: string): string {
  const hash = createHash('sha256');
  const piece = Buffer.allocUnsafe(MiB);
  const fd = openSync(path, 'r');
  try {
    for (let read = -1; read !== 0;) {
      read = readSync(fd, piece);
      hash.update(piece.subarray(0, read));
    }
  } finally {
    closeSync(fd);
  }
  return hash.digest('hex');
}
