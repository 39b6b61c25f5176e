/** The door's Unix socket, and why it cannot be had. */
import { once } from 'node:events';
import { lstatSync, rmSync } from 'node:fs';
import type { Server } from 'node:net';
import { dirname } from 'node:path';
import { Exit, Failed, errorCode, type Failure } from '../system/failure.ts';
import { dialUnix } from '../system/unix-socket.ts';

/**
 * Failed `door-directory-missing`, `door-directory-unsafe`, `door-socket-taken`, `door-socket-unusable`. The name that a killed
 * daemon left is taken; one behind which somebody listens is not.
 */
export async function listenAtSocket(server: Server, path: string): Promise<void> {
  const fault = directoryFault(dirname(path)) ?? (await occupied(path));
  if (fault !== undefined) throw new Failed(fault);
  try {
    rmSync(path, { force: true });
    server.listen(path);
    await once(server, 'listening');
  } catch (error) {
    throw new Failed(unusable(path, errorCode(error) ?? String(error)), { cause: error });
  }
}

/** It has to be ours alone: whoever else may enter it could connect, and whoever may write in it could take our place. */
function directoryFault(directory: string): Failure | undefined {
  const stats = lstatSync(directory, { throwIfNoEntry: false });
  if (stats === undefined) return missing(directory);
  const isOurs = stats.isDirectory() && stats.uid === process.geteuid?.();
  return isOurs && (stats.mode & 0o077) === 0 ? undefined : unsafe(directory);
}

async function occupied(path: string): Promise<Failure | undefined> {
  try {
    (await dialUnix(path, AbortSignal.timeout(5_000))).destroy();
    return taken(path);
  } catch (error) {
    const isFree = ['ENOENT', 'ECONNREFUSED', 'ENOTSOCK'].includes(errorCode(error) ?? '');
    return isFree ? undefined : taken(path);
  }
}

/** Root's part makes it. */
const again =
  'Run linuxkit-builder configure, which asks for root, and then linuxkit-builder restart.';

const missing = (directory: string): Failure => ({
  kind: 'door-directory-missing',
  message: `${directory}, in which the front door shall listen, is not there.`,
  hint: again,
  exit: Exit.config,
  recovery: 'give-up',
});

const unsafe = (directory: string): Failure => ({
  kind: 'door-directory-unsafe',
  message: `${directory}, in which the front door shall listen, is not a directory of the daemon's user alone.`,
  hint: again,
  exit: Exit.noPermission,
  recovery: 'give-up',
});

const taken = (path: string): Failure => ({
  kind: 'door-socket-taken',
  message: `At ${path} another process listens already.`,
  hint: 'It is another builder of yours: end that with linuxkit-builder stop -d ITS-DIRECTORY.',
  exit: Exit.unavailable,
  recovery: 'wait',
});

const unusable = (path: string, why: string): Failure => ({
  kind: 'door-socket-unusable',
  message: `Cannot listen at ${path}: ${why}.`,
  hint: `Or let the front door be a port: linuxkit-builder configure --door tcp.`,
  exit: Exit.osError,
});
