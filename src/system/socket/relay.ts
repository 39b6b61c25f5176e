/** What connects to a listener of ours, led on to what listens elsewhere. */
import { createServer, type Server, type Socket } from 'node:net';
import { dial, type Address } from './dial.ts';

/** A listener that was not told yet where to listen. */
export interface Relay {
  readonly server: Server;
  /** Ends all that it carries, too. */
  readonly close: () => void;
}

/** Leads whoever connects to that address; `isForOne`: the first, and nobody else. */
export function relayTo(address: Address, { isForOne = false } = {}): Relay {
  const ended = new AbortController();
  const open = new Set<Socket>();
  const keep = (socket: Socket) => {
    open.add(socket);
    socket.on('error', () => undefined).once('close', () => open.delete(socket));
    if (ended.signal.aborted) socket.destroy();
  };
  const server = createServer({ pauseOnConnect: true }, (near) => {
    if (isForOne) server.close();
    keep(near);
    dial(address, ended.signal).then(
      (far) => {
        keep(far);
        join(near, far);
      },
      () => near.destroy(),
    );
  });
  const close = () => {
    ended.abort();
    server.close();
    for (const socket of open) socket.destroy();
  };
  return { server, close };
}

/** Both ways, until either is gone. */
function join(near: Socket, far: Socket): void {
  near.once('close', () => far.destroy());
  far.once('close', () => near.destroy());
  // It closes with its end: a half-closed stream is what some addresses cut off ({@link Address}).
  near.pipe(far, { end: false });
  far.pipe(near);
}
