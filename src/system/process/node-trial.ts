/**
 * What we take from Node and the system beyond what they document, tried. docs/decisions/beyond-documentation.md lists it.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { nodeUnfit, withSockets } from '../socket/listening.ts';
import { Failed } from '../failure.ts';
import { isLocked, tryKernelLock } from '../lock/lock.ts';
import { temporaryFolder } from '../files/temporary.ts';

/** It says that it has locked, and the file is not locked. */
export const locksNothing = () => nodeUnfit('cannot lock files');

/** Failed `node-unfit` where one of these is not as it was when this was written; `no-locks` where a file cannot be locked. */
export async function tryNode(): Promise<void> {
  const folder = temporaryFolder('lk-trial-');
  try {
    // `_handle.fd`: the number is that of the socket, or this fails.
    await withSockets([join(folder, 'trial.sock')], () => undefined);
    // macOS: O_EXLOCK passes through `openSync`; elsewhere: flock(1) locks what it inherits.
    const path = join(folder, 'trial.lock');
    const lock = tryKernelLock(path);
    const isHeld = isLocked(path);
    lock?.release();
    if (lock === undefined || !isHeld) throw new Failed(locksNothing());
  } finally {
    rmSync(folder, { recursive: true });
  }
}
