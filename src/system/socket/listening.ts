/** Unix sockets that we make and another process serves: it inherits them listening. */
import { once } from 'node:events';
import { fstatSync, renameSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { Exit, Failed, type Failure } from '../failure.ts';
import { refusal } from '../files/reasons.ts';

/**
 * Makes a socket at each path, in place of what is there, and lends their descriptors to `start`, which gives them to a process.
 * From then on the kernel queues whoever connects, so that process need not have begun to serve. We keep no copy: while
 * both we and it had one and it died, whoever connected would wait for an answer for ever. Failed: `socket-not-made`.
 */
export async function withSockets<T>(
  paths: readonly string[],
  start: (fds: readonly number[]) => T,
): Promise<T> {
  const servers: Server[] = [];
  try {
    for (const path of paths) servers.push(await listenAt(path));
    return start(servers.map(fdOf));
  } finally {
    for (const server of servers) server.close();
  }
}

async function listenAt(path: string): Promise<Server> {
  // Node removes the name by which it bound a socket when it closes it: so that is another one, no longer than the path.
  const bound = `${path.slice(0, -1)}~`;
  const server = createServer((early) => early.destroy());
  try {
    rmSync(bound, { force: true });
    server.listen(bound);
    await once(server, 'listening');
    renameSync(bound, path);
    return server;
  } catch (error) {
    server.close();
    throw new Failed(notMade(path, refusal(error)), { cause: error });
  }
}

/**
 * What `listen({ fd })` takes: Node has it, and no documented name for it. So it is looked at, and `doctor` tries it (./node-trial.ts).
 * Failed `node-unfit` where it is not what it was.
 */
export function fdOf(server: Server): number {
  const { _handle: handle } = server as unknown as { readonly _handle?: { readonly fd?: number } };
  const fd = handle?.fd;
  if (fd === undefined || fd < 0 || !fstatSync(fd).isSocket())
    throw new Failed(nodeUnfit('does not give the file descriptor of a listening socket'));
  return fd;
}

/** A Node that does something else than all that were tried; `what` is read after "This version of Node". */
export const nodeUnfit = (what: string): Failure => ({
  kind: 'node-unfit',
  message: `This version of Node (${process.version}) ${what}.`,
  hint: 'Use another version of Node, such as the newest 24, and please report this.',
  exit: Exit.unavailable,
  recovery: 'give-up',
});

const notMade = (path: string, why: string): Failure => ({
  kind: 'socket-not-made',
  message: `Cannot create the socket ${path}: ${why}.`,
  hint: 'Check the owner and permissions of its directory, that nothing else is at that path, and that its file system supports sockets.',
  exit: Exit.cannotCreate,
});
