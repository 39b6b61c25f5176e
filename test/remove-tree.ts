import { rmSync } from 'node:fs';

/**
 * Deletes that directory with all that is in it, if it is there. A child or a daemon that was told to end may still be writing files
 * into it, which makes "not empty" (ENOTEMPTY) of what was empty a moment before: then it is tried again, for some seconds. Not by
 * `maxRetries`: Node 22 looks only once at what is in a directory, and then just tries again to remove it.
 */
export function removeTree(directory: string): void {
  for (let left = 100; ; left--)
    try {
      return rmSync(directory, { recursive: true, force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOTEMPTY' || left === 0) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
    }
}
