/** Room on the host's disk: without it a VM program pauses its guest, or, where it cannot do that, lets its writes fail. */
import { randomFillSync } from 'node:crypto';
import { closeSync, openSync, statfsSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../system/time/clock.ts';
import { errorCode } from '../../system/failure.ts';
import { discard } from '../../system/files/files.ts';

const MiB = 1024 * 1024;

/**
 * A build writes tens of megabytes a second. `goOn`: less would be full again before anybody could help. `stop`: what a guest that
 * cannot be paused may write until that is noticed (5 s) and until it is down (5 s). `start`: enough above it to be worth a boot.
 */
export const room = { goOn: 512 * MiB, stop: 512 * MiB, start: 1024 * MiB };
/** A start makes some ten files, and each change of the status another. */
export const startInodes = 64;
/** Between two looks for room. */
const everyMs = 2_000;
/** More than one request of a guest's, so that what was left for no such request is not taken for room. */
const trialBytes = 8 * MiB;

/** What there is too little of: blocks, inodes, or what a quota leaves of either. */
export type Shortage = 'disk-full' | 'disk-inodes' | 'disk-quota';

/** Free for us. Infinite where the file system does not say. */
export interface DiskRoom {
  readonly bytes: number;
  /** Files that can be made. */
  readonly inodes: number;
}

/**
 * What is left for us where path is. Infinite where the file system does not say, or counts no inodes (btrfs): that alone ends no guest. A
 * count that is too small for a start is not believed: some file systems make inodes as they need them, and count none that are free.
 */
export function roomAt(path: string): DiskRoom {
  try {
    const found = roomIn(statfsSync(path));
    if (found.inodes >= startInodes) return found;
    return { ...found, inodes: Math.max(found.inodes, filesIn(path, startInodes)) };
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    return { bytes: Infinity, inodes: Infinity };
  }
}

/** From the answer of statfs. */
export const roomIn = (found: {
  readonly bavail: number;
  readonly bsize: number;
  readonly files: number;
  readonly ffree: number;
}): DiskRoom => ({
  bytes: found.bavail * found.bsize,
  inodes: found.files === 0 ? Infinity : found.ffree,
});

/** How many files can be made in a directory, of so many that are tried: none stays. A path that is no directory takes none. */
export function filesIn(directory: string, most: number): number {
  // The same names each time, so that the next look removes what one that was killed left.
  const names = Array.from({ length: most }, (_, index) => join(directory, `.inode-${index}`));
  let made = 0;
  try {
    for (const name of names) {
      closeSync(openSync(name, 'w', 0o600));
      made++;
    }
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
  } finally {
    for (const name of names) discard(name);
  }
  return made;
}

/** Of what there is too little. */
export const lackOf = (wanted: DiskRoom, { bytes, inodes }: DiskRoom): Shortage | undefined =>
  bytes < wanted.bytes ? 'disk-full' : inodes < wanted.inodes ? 'disk-inodes' : undefined;

/** Whether so many bytes are left for us where path is. */
export const hasRoom = (path: string, bytes: number): boolean =>
  lackOf({ bytes, inodes: 0 }, roomAt(path)) === undefined;

/**
 * What a write into a directory fails for, found by one of 8 MiB that leaves nothing: of a quota, and of a disk that promises more than
 * it has, statfs(2) need not know. Undefined where the write succeeds, or fails for no want of room.
 */
export async function shortageAt(directory: string): Promise<Shortage | undefined> {
  // One name, so that the next look removes what one that was killed left.
  const path = join(directory, '.room');
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'w', 0o600);
    // Zeros may take no room at all; and a single `write` may put in only what there is room for, without an error.
    await file.writeFile(randomFillSync(Buffer.allocUnsafe(trialBytes)));
    await file.sync();
    return undefined;
  } catch (error) {
    // A file that cannot even be made says nothing of the one that the guest writes.
    return file === undefined ? undefined : shortageOf(error);
  } finally {
    await file?.close().catch(() => undefined);
    discard(path);
  }
}

function shortageOf(error: unknown): Shortage | undefined {
  const code = errorCode(error);
  if (code === undefined) throw error;
  return code === 'EDQUOT' ? 'disk-quota' : code === 'ENOSPC' ? 'disk-full' : undefined;
}

/** Resolves when isEnough. Rejects when signal aborts. */
export async function untilEnough(
  isEnough: () => boolean | Promise<boolean>,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<void> {
  while (!(await isEnough())) await clock.sleep(everyMs, signal);
}
