/** Loopback ends for the door's tests: a guest that does as told, clients, and waits for facts. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { openDoor, type Door, type DoorOptions } from '../../src/door/door.ts';
import type { Tunnel } from '../../src/domain/tunnel.ts';
import type { Level } from '../../src/system/log.ts';
import { FakeClock } from '../fakes/fake-clock.ts';

export interface Entry {
  readonly level: Level;
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface Rig extends AsyncDisposable {
  readonly door: Door;
  /** Of the door, unless that is a socket. */
  readonly port: number;
  readonly clock: FakeClock;
  readonly entries: Entry[];
}

const anyPort = { kind: 'tcp', port: 0 } as const;

/** A door on any free port with a clock that stands still. */
export async function doorRig({
  holdMs = 180_000,
  ...options
}: Partial<Omit<DoorOptions, 'holdMs'>> & { readonly holdMs?: number } = {}): Promise<Rig> {
  const clock = new FakeClock();
  const entries: Entry[] = [];
  const log = (level: Level, event: string, fields = {}) =>
    void entries.push({ level, event, fields });
  const door = await openDoor({ place: anyPort, holdMs: () => holdMs, clock, log, ...options });
  const port = door.place.kind === 'tcp' ? door.place.port : 0;
  return { door, port, clock, entries, [Symbol.asyncDispose]: () => door.close() };
}

export interface FakeGuest extends AsyncDisposable {
  readonly tunnel: Tunnel;
  /** Connections in order of arrival. */
  readonly sockets: Socket[];
}

/** What listens where the tunnel leads; `behave` gets each connection. */
export async function fakeGuest(
  behave: (socket: Socket, number: number) => void,
): Promise<FakeGuest> {
  const sockets: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    sockets.push(socket);
    behave(socket, sockets.length);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    tunnel: { kind: 'tcp', host: '127.0.0.1', port },
    sockets,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export const greetingLine = 'SSH-2.0-OpenSSH_10.0\r\n';

/** What a client says first. */
export const bannerLine = 'SSH-2.0-test\r\n';

/** Greets, then echoes. */
export const echoing = (socket: Socket): void => {
  socket.write(greetingLine);
  echo(socket);
};

/** Sends back what it gets after the client's first line. */
export const echo = (socket: Socket): void => {
  let head = '';
  const onData = (chunk: Buffer) => {
    head += chunk.toString('latin1');
    const end = head.indexOf('\n') + 1;
    if (end === 0) return;
    socket.off('data', onData).pause();
    if (end < head.length) socket.unshift(Buffer.from(head.slice(end), 'latin1'));
    socket.pipe(socket);
  };
  socket.on('data', onData).on('end', () => socket.end());
};

/** A connected client that says what ssh says first, or what it is told to; `text` grows with what it gets. */
export class Client {
  readonly socket: Socket;
  text = '';
  ended = false;
  /** Nothing more can come: ended, reset or closed. */
  over = false;

  /** At a port of 127.0.0.1, or at a Unix socket. */
  constructor(at: number | string, says = bannerLine) {
    const where = typeof at === 'number' ? { port: at, host: '127.0.0.1' } : { path: at };
    this.socket = connect({ ...where, allowHalfOpen: true });
    if (says !== '') this.socket.write(says);
    this.socket.setEncoding('utf8');
    this.socket.on('data', (chunk: string) => (this.text += chunk));
    this.socket.on('end', () => (this.ended = this.over = true));
    this.socket.on('error', () => undefined);
    this.socket.on('close', () => (this.over = true));
  }
}

/** Waits until something is so; the test's own time limit ends it. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise<void>((resolve) => setImmediate(resolve));
}
