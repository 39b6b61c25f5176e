/** Room on the host's disk: without it a VM program pauses its guest, or, where it cannot do that, lets its writes fail. */
import { statfsSync } from 'node:fs';
import type { Clock } from '../system/clock.ts';
import { errorCode } from '../system/failure.ts';

const MiB = 1024 * 1024;

/**
 * A build writes tens of megabytes a second. `goOn`: less would be full again before anybody could help. `stop`: what a guest that
 * cannot be paused may write until that is noticed (5 s) and until it is down (5 s). `start`: enough above it to be worth a boot.
 */
export const room = { goOn: 512 * MiB, stop: 512 * MiB, start: 1024 * MiB };
const everyMs = 2_000;

/** Whether the file system that holds path has that many bytes left for us; so too where it does not say: that alone ends no guest. */
export function hasRoom(path: string, bytes: number): boolean {
  try {
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize >= bytes;
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    return true;
  }
}

/** Resolves when there are so many bytes of room again. Rejects when signal aborts. */
export async function untilRoom({
  path,
  bytes,
  clock,
  signal,
}: {
  path: string;
  bytes: number;
  clock: Clock;
  signal: AbortSignal;
}): Promise<void> {
  while (!hasRoom(path, bytes)) await clock.sleep(everyMs, signal);
}
