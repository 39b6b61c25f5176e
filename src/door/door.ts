/**
 * The front door: what Nix's ssh connects to. It listens for the daemon's whole life; whoever comes while the guest is
 * away waits, and goes through when it is ready. Nobody is sent off without a reason in the log.
 */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Tunnel } from '../config/tunnel.ts';
import type { Clock } from '../system/clock.ts';
import { Exit, Failed, errorCode } from '../system/failure.ts';
import type { Log } from '../system/log.ts';
import { reachGuest } from './guest-connection.ts';
import { holdClient, type HeldClient } from './held-client.ts';
import { portOwner } from './port-owner.ts';
import { admit, arrive, emptyQueue, leave, sendBack } from './queue.ts';
import { splice } from './splice.ts';
import { Turnstile } from './turnstile.ts';

export interface DoorOptions {
  /** 0 for any free one. */
  readonly port: number;
  /** Longest wait of a client that comes now, from its arrival to sshd's greeting. */
  readonly holdMs: () => number;
  readonly clock: Clock;
  readonly log: Log;
  /** Connections that may be waiting for sshd's greeting at a time. Default 32. */
  readonly maxHandshakes?: number;
  /** So many connections are through now: called when one came or went. */
  readonly onOpen?: (count: number) => void;
}

/** The open front door. It begins by holding everybody. */
export interface Door {
  readonly port: number;
  /** The guest is ready: whoever waits goes through, and whoever comes. */
  release(tunnel: Tunnel): void;
  /** The guest is away: new clients wait. Those that are through end with their guest. */
  hold(why: string): void;
  /** No guest will come: whoever waits or comes is sent off, with this reason in the log, until hold or release. */
  refuse(why: string): void;
  counts(): { readonly held: number; readonly opening: number; readonly open: number };
  /** Bytes that came from guests since the door was opened. A client's own do not count: ssh pings a dead guest as well. */
  bytesFromGuest(): number;
  /** Ends every connection and stops listening. */
  close(): Promise<void>;
}

const host = '127.0.0.1';

/** Opens the door, or fails with `door-port-taken`, `door-port-forbidden`, `door-port-unusable`. */
export async function openDoor(options: DoorOptions): Promise<Door> {
  const door = new FrontDoor(options);
  await door.listen(options.port);
  return door;
}

interface Client {
  readonly number: number;
  readonly socket: Socket;
  readonly held: HeldClient;
  readonly cancelLimit: () => void;
  /** Ends the opening that is under way for it. */
  attempt: AbortController;
}

class FrontDoor implements Door {
  readonly #options: DoorOptions;
  readonly #server: Server;
  readonly #clients = new Map<number, Client>();
  readonly #open = new Set<readonly [client: Socket, guest: Socket]>();
  readonly #turnstile: Turnstile;
  #queue = emptyQueue;
  #tunnel: Tunnel | undefined;
  #refusal: string | undefined;
  #arrivals = 0;
  #bytesOfEnded = 0;

  constructor(options: DoorOptions) {
    this.#options = options;
    this.#turnstile = new Turnstile(options.clock, turnMs);
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
      this.#onArrival(socket),
    );
  }

  get port(): number {
    return (this.#server.address() as AddressInfo | null)?.port ?? this.#options.port;
  }

  async listen(port: number): Promise<void> {
    const error = await new Promise<Error | undefined>((resolve) => {
      this.#server.once('error', resolve);
      this.#server.listen(port, host, () => {
        this.#server.off('error', resolve);
        resolve(undefined);
      });
    });
    if (error !== undefined) throw await cannotListen(port, error);
    // Later errors are of single accepts (no descriptor left): the door stays.
    this.#server.on('error', (later) => this.#log('warn', 'door-accept', { why: later.message }));
    this.#log('info', 'door-listening', { port: this.port });
  }

  release(tunnel: Tunnel): void {
    if (this.#tunnel !== undefined) this.hold('it has another guest now');
    this.#tunnel = tunnel;
    this.#refusal = undefined;
    this.#log('info', 'door-released', { waiting: this.#queue.waiting.length });
    this.#letIn();
  }

  hold(why: string): void {
    if (this.#tunnel !== undefined) this.#log('info', 'door-holding', { why });
    this.#tunnel = undefined;
    this.#refusal = undefined;
    for (const number of this.#queue.opening) this.#clients.get(number)?.attempt.abort();
    this.#queue = sendBack(this.#queue);
  }

  refuse(why: string): void {
    this.hold(why);
    this.#refusal = why;
    for (const client of [...this.#clients.values()])
      this.#drop(client, 'info', 'door-refused', why);
  }

  counts() {
    const { waiting, opening } = this.#queue;
    return { held: waiting.length, opening: opening.length, open: this.#open.size };
  }

  bytesFromGuest(): number {
    return [...this.#open].reduce((sum, pair) => sum + pair[1].bytesRead, this.#bytesOfEnded);
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const client of [...this.#clients.values()])
      this.#drop(client, 'info', 'door-closed', 'the daemon ends');
    if (this.#open.size > 0) this.#log('info', 'door-cuts', { open: this.#open.size });
    for (const [client, guest] of this.#open) {
      client.destroy();
      guest.destroy();
    }
    await closed;
  }

  #onArrival(socket: Socket): void {
    const number = ++this.#arrivals;
    const { clock } = this.#options;
    const holdMs = this.#options.holdMs();
    // Errors have their own listeners while they matter; one that comes later must not end the daemon.
    socket.on('error', () => undefined);
    const client: Client = {
      number,
      socket,
      held: holdClient(socket, (why) => this.#drop(client, 'debug', 'door-client-gone', why)),
      cancelLimit: clock.after(holdMs, () =>
        this.#drop(client, 'warn', 'door-hold-limit', `no guest for ${holdMs} ms`),
      ),
      attempt: new AbortController(),
    };
    this.#clients.set(number, client);
    this.#queue = arrive(this.#queue, number);
    this.#log('debug', 'door-arrival', { client: number, ready: this.#tunnel !== undefined });
    if (this.#refusal !== undefined)
      return this.#drop(client, 'info', 'door-refused', this.#refusal);
    this.#letIn();
  }

  #letIn(): void {
    const tunnel = this.#tunnel;
    if (tunnel === undefined) return;
    const most = tunnel.kind === 'unix' ? (tunnel.atMost ?? Infinity) : Infinity;
    const slots = Math.min(this.#options.maxHandshakes ?? 32, most - this.#open.size);
    const { queue, admitted } = admit(this.#queue, slots);
    this.#queue = queue;
    for (const number of admitted) {
      const client = this.#clients.get(number);
      if (client !== undefined) void this.#letThrough(client, tunnel);
    }
  }

  async #letThrough(client: Client, tunnel: Tunnel): Promise<void> {
    const { clock, log } = this.#options;
    const attempt = (client.attempt = new AbortController());
    const { signal } = attempt;
    const guest = await reachGuest(tunnel, { clock, log, signal, turnstile: this.#turnstile });
    if (guest === undefined) return;
    if (attempt.signal.aborted) return void guest.destroy();
    this.#forget(client);
    const pair = [client.held.giveBack(), guest] as const;
    this.#open.add(pair);
    this.#options.onOpen?.(this.#open.size);
    this.#letIn();
    const late = tunnel.kind === 'unix' && tunnel.endsTogether === true;
    const end = await splice(...pair, late ? { clock, silenceMs: lateEndMs } : undefined);
    this.#open.delete(pair);
    this.#options.onOpen?.(this.#open.size);
    this.#bytesOfEnded += guest.bytesRead;
    const level = end.kind === 'reset' ? 'info' : 'debug';
    this.#log(level, 'door-ended', { client: client.number, ...end });
    this.#letIn();
  }

  #drop(client: Client, level: 'debug' | 'info' | 'warn', event: string, why: string): void {
    this.#log(level, event, { client: client.number, why });
    this.#forget(client);
    client.attempt.abort();
    client.held.discard();
    this.#letIn();
  }

  #forget(client: Client): void {
    client.cancelLimit();
    this.#clients.delete(client.number);
    this.#queue = leave(this.#queue, client.number);
  }

  get #log(): Log {
    return this.#options.log;
  }
}

/** Somewhat above what sshd needs to greet one client on a slow guest (40 ms, emulated); a crowd is as fast as without. */
const turnMs = 100;

/** Far less than the 30 s after which HyperKit cuts a half-closed stream off. */
const lateEndMs = 3_000;

async function cannotListen(port: number, error: Error): Promise<Failed> {
  const other = 'Choose another port: linuxkit-builder configure --port NUMBER.';
  if (errorCode(error) === 'EADDRINUSE') {
    const owner = await portOwner(port);
    return new Failed({
      kind: 'door-port-taken',
      message: `Port ${port} on ${host} is taken${owner === undefined ? ' by another process' : ` by ${owner}`}.`,
      hint: `End that process, or choose another port: linuxkit-builder configure --port NUMBER.`,
      exit: Exit.unavailable,
    });
  }
  const message = `Cannot listen on port ${port} of ${host}: ${error.message}.`;
  const [kind, exit] = ['EACCES', 'EPERM'].includes(errorCode(error) ?? '')
    ? (['door-port-forbidden', Exit.noPermission] as const)
    : (['door-port-unusable', Exit.osError] as const);
  const hint = `Ports below 1024 are root's. ${other}`;
  return new Failed({ kind, message, hint, exit }, { cause: error });
}
