/** Room on the host's disk: without it a VM program pauses its guest. */
import { statfs } from 'node:fs/promises';
import type { Clock } from '../system/clock.ts';

/** A build writes tens of megabytes a second: less room than this would be full again before anybody could help. */
export const roomBytes = 512 * 1024 * 1024;
const everyMs = 2_000;

/** Resolves when the file system that holds path has room again. Rejects when signal aborts. */
export async function untilRoom({
  path,
  clock,
  signal,
}: {
  path: string;
  clock: Clock;
  signal: AbortSignal;
}): Promise<void> {
  for (;;) {
    const { bavail, bsize } = await statfs(path);
    if (bavail * bsize >= roomBytes) return;
    await clock.sleep(everyMs, signal);
  }
}
