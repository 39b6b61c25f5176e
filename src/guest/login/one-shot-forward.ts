/** A way for one ssh of ours to a guest that no TCP port leads to: a port of this host for one connection, then closed. */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import type { Tunnel } from '../../domain/tunnel.ts';
import { dial } from '../../system/socket/dial.ts';

/** Where that one ssh is to connect. */
export interface OneShotForward {
  readonly host: string;
  readonly port: number;
}

/**
 * Where ssh is to go; lives until the signal aborts. No more than the front door opens for the whole life of the daemon: the
 * guest's sshd, to processes of this host.
 */
export async function openForward(tunnel: Tunnel, signal: AbortSignal): Promise<OneShotForward> {
  if (tunnel.kind === 'tcp') return tunnel;
  const open: Socket[] = [];
  const server = createServer({ pauseOnConnect: true }, (client) => {
    server.close();
    const join = (socket: Socket) => {
      open.push(socket);
      if (signal.aborted) socket.destroy();
      return socket.on('error', () => undefined);
    };
    join(client);
    dial(tunnel, signal).then(
      (guest) => {
        join(guest).pipe(client).pipe(guest);
        client.once('close', () => guest.destroy());
        guest.once('close', () => client.destroy());
      },
      () => client.destroy(),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  signal.addEventListener(
    'abort',
    () => {
      server.close();
      for (const socket of open) socket.destroy();
    },
    { once: true },
  );
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
}
