/** The door's Unix socket, and why it cannot be had. */
import { once } from 'node:events';
import { lstatSync, renameSync, rmSync } from 'node:fs';
import type { Server } from 'node:net';
import { dirname } from 'node:path';
import { Exit, Failed, errorCode, type Failure } from '../system/failure.ts';
import { discard } from '../system/files/files.ts';
import { refusal } from '../system/files/reasons.ts';
import { tryKernelLock } from '../system/lock/lock.ts';
import { dialUnix } from '../system/socket/unix-socket.ts';
import { advice, ours, oursIn } from '../system/advice.ts';
import { linkStatsIfThere } from '../system/stats.ts';

/** A name at which a server of ours listens. */
export interface OwnSocket {
  /** Whether the name still leads to our server, and nobody else may take it. */
  isInPlace(): boolean;
  /** Takes the name away where it is still ours, and lets others have it. */
  leave(): void;
}

/**
 * Failed `door-directory-missing`, `door-directory-unsafe`, `door-socket-taken`, `door-socket-unusable`. The name that a killed
 * daemon left is taken; one behind which somebody listens is not. Of several that come at once the one with the lock beside it has it.
 */
export async function listenAtSocket(server: Server, path: string): Promise<OwnSocket> {
  const fault = directoryFault(dirname(path));
  if (fault !== undefined) throw new Failed(fault);
  const lock = tryKernelLock(`${path}.lock`);
  if (lock === undefined) throw new Failed(taken(path));
  try {
    // A release before this one listens without a lock.
    if (await isOccupied(path)) throw new Failed(taken(path));
    const isOurs = await listenAs(server, path);
    return {
      isInPlace: () => lock.isInPlace() && isOurs(),
      leave: () => {
        if (isOurs()) discard(path);
        lock.release();
      },
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** Resolves with a look whether the name is still its own. The end of a server removes the name that it was made with: that is another one. */
async function listenAs(server: Server, path: string): Promise<() => boolean> {
  const made = `${path}.new`;
  try {
    rmSync(made, { force: true });
    server.listen(made);
    await once(server, 'listening');
    renameSync(made, path);
  } catch (error) {
    server.close();
    throw new Failed(unusable(path, refusal(error)), { cause: error });
  }
  const own = identityOf(path);
  return () => own !== undefined && identityOf(path) === own;
}

function identityOf(path: string): string | undefined {
  try {
    const { dev, ino } = lstatSync(path);
    return `${dev} ${ino}`;
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    return undefined;
  }
}

/** It has to be ours alone: whoever else may enter it could connect, and whoever may write in it could take our place. */
function directoryFault(directory: string): Failure | undefined {
  try {
    const stats = linkStatsIfThere(directory);
    if (stats === undefined) return missing(directory);
    const isOurs = stats.isDirectory() && stats.uid === process.geteuid?.();
    return isOurs && (stats.mode & 0o077) === 0 ? undefined : unsafe(directory);
  } catch (error) {
    // What cannot be looked at, for want of a right above all.
    if (errorCode(error) === undefined) throw error;
    return unsafe(directory);
  }
}

async function isOccupied(path: string): Promise<boolean> {
  try {
    (await dialUnix(path, AbortSignal.timeout(5_000))).destroy();
    return true;
  } catch (error) {
    return !['ENOENT', 'ECONNREFUSED', 'ENOTSOCK'].includes(errorCode(error) ?? '');
  }
}

/** Root's part makes it. */
const again = advice`Run ${ours('configure')}, which creates it as root, then ${ours('restart')}.`;

const missing = (directory: string): Failure => ({
  kind: 'door-directory-missing',
  message: `The front door's directory ${directory} does not exist.`,
  hint: again,
  exit: Exit.config,
  recovery: 'give-up',
});

const unsafe = (directory: string): Failure => ({
  kind: 'door-directory-unsafe',
  message: `The front door's directory ${directory} is not a directory that only the daemon's user can open.`,
  hint: again,
  exit: Exit.noPermission,
  recovery: 'give-up',
});

const taken = (path: string): Failure => ({
  kind: 'door-socket-taken',
  message: `Another process is already listening at ${path}.`,
  hint: `It is another builder of yours. Stop it: ${oursIn('ITS-DIRECTORY', 'stop')}`,
  exit: Exit.unavailable,
  recovery: 'wait',
});

const unusable = (path: string, why: string): Failure => ({
  kind: 'door-socket-unusable',
  message: `Cannot listen at ${path}: ${why}.`,
  hint: advice`Use a port instead: ${ours('configure', '--door tcp')}`,
  exit: Exit.osError,
});
