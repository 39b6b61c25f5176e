/**
 * On the way to the door: lets connections through, or holds them, and then lets each arrive to the millisecond. A build needs a second to
 * its ssh.
 */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export class Relay implements Disposable {
  readonly #door: number;
  readonly #server = createServer((socket) => this.#arrive(socket));
  readonly #waiting: Socket[] = [];
  readonly #sockets = new Set<Socket>();
  #isHolding = false;

  private constructor(door: number) {
    this.#door = door;
  }

  /** In front of a door of this machine. */
  static async begin(door: number): Promise<Relay> {
    const relay = new Relay(door);
    relay.#server.listen(0, '127.0.0.1');
    await once(relay.#server, 'listening');
    return relay;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** From now on who comes waits here until it is released. */
  hold(): void {
    this.#isHolding = true;
  }

  /** How many wait here. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Has the first that waits here arrive at the door; when it was connected, wall time in ms. */
  async release(): Promise<number> {
    const client = this.#waiting.shift();
    if (client === undefined) throw new Error('Nobody waits here.');
    return this.#lead(client);
  }

  async #lead(client: Socket): Promise<number> {
    const door = this.#keep(connect(this.#door, '127.0.0.1'));
    await once(door, 'connect');
    const at = Date.now();
    client.pipe(door).pipe(client);
    client.once('close', () => door.destroy());
    door.once('close', () => client.destroy());
    return at;
  }

  [Symbol.dispose](): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #arrive(socket: Socket): void {
    this.#keep(socket);
    // A door that is closed ends the client too.
    if (!this.#isHolding) return void this.#lead(socket).catch(() => socket.destroy());
    this.#waiting.push(socket);
    socket.once('close', () => {
      const at = this.#waiting.indexOf(socket);
      if (at >= 0) this.#waiting.splice(at, 1);
    });
  }

  #keep(socket: Socket): Socket {
    this.#sockets.add(socket);
    socket.setNoDelay().on('error', () => undefined);
    socket.once('close', () => this.#sockets.delete(socket));
    return socket;
  }
}
