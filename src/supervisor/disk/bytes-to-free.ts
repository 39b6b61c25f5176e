/** How much of a guest's store is to go, by the room that guest and host have. Pure. */
import type { StoreRoom } from '../../guest/agent/inside.ts';

const GiB = 1024 ** 3;
/** Less than this on the host's disk, and the guest is told to keep no more than it must. */
const hostShort = 8 * GiB;
/** Not worth the reading of all of a store's roots. */
const leastUsed = GiB;

/**
 * How much is to go: below a quarter of a disk that is free, as much as makes it half; where the host is short of room, all. Long before
 * Nix itself begins in the midst of a build (`min-free`), which it does when a tenth is left. 0: nothing.
 */
export function bytesToFree({ diskBytes, diskFreeBytes }: StoreRoom, hostRoom: number): number {
  if (diskFreeBytes < diskBytes / 4) return Math.ceil(diskBytes / 2 - diskFreeBytes);
  const used = diskBytes - diskFreeBytes;
  return hostRoom < hostShort && used > leastUsed ? used : 0;
}
