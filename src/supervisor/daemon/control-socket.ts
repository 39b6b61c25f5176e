/** The names under which the daemon listens: its owner's own, and one for a group where the directory lets that pass (`prepare --shared`). */
import { chmodSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { createServer, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import type { Layout } from '../../config/layout.ts';
import { Failed } from '../../system/failure.ts';
import { isPassage } from '../../system/files/files.ts';
import { cannotWrite } from '../../system/files/cannot-write.ts';
import type { Log } from '../../system/log.ts';
import { linkStatsIfThere } from '../../system/stats.ts';

/** Whom the modes of a socket let in. Node does not tell whose a connection is, so each has a socket of its own. */
export type Caller = 'owner' | 'group';

/** A control socket that listens. */
export interface Control {
  /** Listens under its names again where a socket is gone. */
  keep(): Promise<void>;
  close(): void;
}

/** Listens until closed. Failed `cannot-write` without its sockets. */
export async function listenFor(
  { control, ownControl }: Layout,
  onConnection: (socket: Socket, caller: Caller) => void,
  log: Log,
): Promise<Control> {
  const isShared = isPassage(statSync(dirname(control)).mode);
  // A client takes the owner's where there is one.
  if (!isShared) remove(ownControl);
  const callers: readonly (readonly [path: string, caller: Caller])[] = isShared
    ? [
        [control, 'group'],
        [ownControl, 'owner'],
      ]
    : [[control, 'owner']];
  const servers = new Map<string, Server>();
  const close = () => {
    for (const server of servers.values()) server.close();
  };
  const listenAt = async (path: string, caller: Caller) => {
    servers.set(path, await listen(path, caller, (socket) => onConnection(socket, caller)));
  };
  try {
    for (const [path, caller] of callers) await listenAt(path, caller);
  } catch (error) {
    close();
    throw error;
  }
  return {
    keep: async () => {
      for (const [path, caller] of callers) {
        if (linkStatsIfThere(path) !== undefined) continue;
        log('info', 'socket-made-again', { path });
        // In this order: its end removes what is under its name. Connections stay.
        servers.get(path)?.close();
        await listenAt(path, caller);
      }
    },
    close,
  };
}

const mostConnections = 64;

async function listen(
  path: string,
  caller: Caller,
  onConnection: (socket: Socket) => void,
): Promise<Server> {
  const server = createServer(onConnection);
  // Whoever may ask may do so as often as he likes, but must not leave the daemon without descriptors.
  server.maxConnections = mostConnections;
  // Of a single accept, once it listens.
  server.on('error', () => undefined);
  try {
    // We hold the daemon's lock: whatever socket is there belongs to nobody.
    rmSync(path, { force: true });
    server.listen(path);
    await once(server, 'listening');
    chmodSync(path, caller === 'group' ? 0o660 : 0o600);
    return server;
  } catch (error) {
    server.close();
    throw new Failed(cannotWrite(path, error), { cause: error });
  }
}

function remove(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch (error) {
    throw new Failed(cannotWrite(path, error), { cause: error });
  }
}
