import { rmSync } from 'node:fs';

/**
 * Deletes that directory with all that is in it, if it is there. A child or a daemon that was told to end may still be writing files
 * into it, which makes "not empty" (ENOTEMPTY) of what was empty a moment before: then it is tried again.
 */
export const removeTree = (directory: string): void =>
  rmSync(directory, { recursive: true, force: true, maxRetries: 10 });
