/** Where the front door listens: a port of this machine, or a Unix socket that only its owner and root can reach. */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Log } from '../system/log.ts';
import { listen } from './listen.ts';
import { listenAtSocket, type OwnSocket } from './listen-socket.ts';

/** The one place where it listens. */
export type DoorPlace =
  /** Of 127.0.0.1; 0 for any free one. */
  | { readonly kind: 'tcp'; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

/** For a sentence. */
export const describePlace = (place: DoorPlace): string =>
  place.kind === 'tcp' ? `127.0.0.1:${place.port}` : place.path;

/** Its listening: begun, kept and ended; who connects is handed on. */
export class Entrance {
  readonly #wanted: DoorPlace;
  readonly #onArrival: (socket: Socket) => void;
  readonly #log: Log;
  #server: Server;
  #socket: OwnSocket | undefined;
  #isOpen = false;

  constructor(wanted: DoorPlace, log: Log, onArrival: (socket: Socket) => void) {
    this.#wanted = wanted;
    this.#log = log;
    this.#onArrival = onArrival;
    this.#server = this.#makeServer();
  }

  /** With the port that a free one came to. */
  get place(): DoorPlace {
    if (this.#wanted.kind === 'unix') return this.#wanted;
    const address = this.#server.address() as AddressInfo | null;
    return { kind: 'tcp', port: address?.port ?? this.#wanted.port };
  }

  /** As {@link listen} and {@link listenAtSocket} fail. */
  async open(): Promise<void> {
    const [server, wanted] = [this.#server, this.#wanted];
    if (wanted.kind === 'tcp') await listen(server, wanted.port);
    else this.#socket = await listenAtSocket(server, wanted.path);
    // Later errors are of single accepts (no descriptor left): the door stays.
    server.on('error', (later) => this.#log('warn', 'door-accept', { why: later.message }));
    this.#isOpen = true;
    const { place } = this;
    this.#log('info', 'door-listening', place.kind === 'tcp' ? { port: place.port } : place);
  }

  /** Listens again where root has taken the socket's directory away and made it anew. Connections stay. */
  async keep(): Promise<void> {
    if (!this.#isOpen || this.#wanted.kind === 'tcp') return;
    if (this.#socket?.isInPlace() === true) return;
    this.#leave();
    this.#server.close();
    this.#server = this.#makeServer();
    await this.open();
  }

  /** Stops listening; resolves when the last connection has ended. */
  close(): Promise<void> {
    this.#isOpen = false;
    this.#leave();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #leave(): void {
    this.#socket?.leave();
    this.#socket = undefined;
  }

  #makeServer(): Server {
    return createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
      this.#onArrival(socket),
    );
  }
}
