/**
 * The front door: what Nix's ssh connects to. It listens for the daemon's whole life; whoever comes while the guest is
 * away waits, and goes through when it is ready. Nobody is sent off without a reason in the log.
 */
import type { Socket } from 'node:net';
import type { Tunnel } from '../domain/tunnel.ts';
import type { Clock } from '../system/time/clock.ts';
import { descriptorLimit } from '../system/socket/descriptors.ts';
import type { Log } from '../system/log.ts';
import { Entrance, type DoorPlace } from './entrance.ts';
import { reachGuest } from './guest-connection.ts';
import { limitsFor, type DoorLimits } from './door-limits.ts';
import { usersOf } from './peers.ts';
import { splice } from './splice.ts';
import { Through, type Counts } from './through.ts';
import { ConnectThrottle } from './connect-throttle.ts';
import { WaitingRoom, type Client, type Crowd } from './waiting-room.ts';

/** Where it listens, how patient it is, and whom it tells. */
export interface DoorOptions {
  readonly place: DoorPlace;
  /** Longest wait of a client that comes now, from its arrival to sshd's greeting. */
  readonly holdMs: () => number;
  readonly clock: Clock;
  readonly log: Log;
  /** Other than {@link limitsFor} gives for this process. */
  readonly limits?: Partial<DoorLimits>;
  /** Called when one that is through came or went, or has logged in. */
  readonly onChange?: (counts: Counts) => void;
  /** Called when a client of ssh has come to wait; {@link Door.hasWaiting} says whether it still does. */
  readonly onWaiting?: () => void;
}

/** The open front door. It begins by holding everybody. */
export interface Door {
  readonly place: DoorPlace;
  /**
   * The guest is ready: whoever waits goes through, and whoever comes. After `loginMs` it cuts off whom it has greeted and who
   * has not logged in.
   */
  release(tunnel: Tunnel, loginMs?: number): void;
  /** The guest is away: new clients wait. Those that are through end with their guest. */
  hold(why: string): void;
  /** No guest will come: whoever waits or comes is sent off, with this reason in the log, until hold or release. */
  refuse(why: string): void;
  counts(): Counts;
  /** Whether a client of ssh waits. */
  readonly hasWaiting: boolean;
  /** Who crowds the door, when many are there who have not logged in. */
  crowd(): Crowd | undefined;
  /** The guest says that so many of those that are through have logged in; undefined: it does not say any more. */
  tellLoggedIn(count: number | undefined): void;
  /** Bytes that came from guests since the door was opened. A client's own do not count: ssh pings a dead guest as well. */
  bytesFromGuest(): number;
  /** Listens again where its name was taken away. */
  keep(): Promise<void>;
  /** Ends every connection and stops listening. */
  close(): Promise<void>;
}

/** Opens the door, or fails as its {@link Entrance} does: `door-port-taken`, `door-directory-missing` and the like. */
export async function openDoor(options: DoorOptions): Promise<Door> {
  const door = new FrontDoor(options);
  await door.open();
  return door;
}

class FrontDoor implements Door {
  readonly #options: DoorOptions;
  readonly #entrance: Entrance;
  readonly #room: WaitingRoom;
  readonly #through: Through;
  readonly #throttle: ConnectThrottle;
  #limits: DoorLimits;
  #tunnel: Tunnel | undefined;
  #refusal: string | undefined;
  #isSoon = false;
  #cancelAgain: () => void = () => undefined;

  constructor(options: DoorOptions) {
    this.#options = options;
    this.#limits = { ...limitsFor(Infinity), ...options.limits };
    this.#throttle = new ConnectThrottle(options.clock, turnMs);
    this.#through = new Through(options.clock);
    this.#room = new WaitingRoom({
      ...options,
      limits: () => this.#limits,
      users: () => (this.place.kind === 'tcp' ? usersOf(this.place.port) : undefined),
      onChange: () => this.#letInSoon(),
    });
    this.#entrance = new Entrance(options.place, options.log, (socket) => this.#onArrival(socket));
  }

  get place(): DoorPlace {
    return this.#entrance.place;
  }

  async open(): Promise<void> {
    await this.#entrance.open();
    this.#limits = { ...limitsFor(await descriptorLimit()), ...this.#options.limits };
  }

  readonly keep = (): Promise<void> => this.#entrance.keep();

  release(tunnel: Tunnel, loginMs = usualLoginMs): void {
    if (this.#tunnel !== undefined) this.hold('another guest took its place');
    this.#tunnel = tunnel;
    this.#refusal = undefined;
    this.#through.loginMs = loginMs;
    this.#log('info', 'door-released', { waiting: this.#room.counts().held });
    this.#letIn();
  }

  hold(why: string): void {
    if (this.#tunnel !== undefined) this.#log('info', 'door-holding', { why });
    this.#tunnel = undefined;
    this.#refusal = undefined;
    this.#room.sendBack();
  }

  refuse(why: string): void {
    this.hold(why);
    this.#refusal = why;
    this.#room.dropAll('door-refused', why);
  }

  counts(): Counts {
    const { count: open, loggedIn, entering } = this.#through;
    return { ...this.#room.counts(), open, loggedIn, entering };
  }

  get hasWaiting() {
    return this.#room.hasSsh;
  }

  crowd(): Crowd | undefined {
    const { held, opening } = this.#room.counts();
    if (held + opening + this.#through.newcomers <= this.#limits.few) return undefined;
    return this.#room.crowd(this.#through);
  }

  tellLoggedIn(count: number | undefined): void {
    this.#through.tell(count);
    this.#onChange();
  }

  readonly bytesFromGuest = (): number => this.#through.bytesFromGuest();

  async close(): Promise<void> {
    const closed = this.#entrance.close();
    this.#room.dropAll('door-closed', 'the daemon is exiting');
    if (this.#through.count > 0) this.#log('info', 'door-cuts', { open: this.#through.count });
    this.#through.destroy();
    await closed;
    this.#cancelAgain();
  }

  #onArrival(socket: Socket): void {
    const client = this.#room.arrive(socket);
    this.#log('debug', 'door-arrival', {
      client: client.number,
      ready: this.#tunnel !== undefined,
    });
    if (this.#refusal !== undefined)
      return this.#room.drop(client, 'info', 'door-refused', this.#refusal);
    this.#room.makeRoom(this.#through);
  }

  /** Once for all that happens now: a crowd is looked through as a whole. */
  #letInSoon(): void {
    if (this.#isSoon) return;
    this.#isSoon = true;
    setImmediate(() => {
      this.#isSoon = false;
      this.#letIn();
    });
  }

  #letIn(): void {
    const tunnel = this.#tunnel;
    const { held, opening } = this.#room.counts();
    this.#cancelAgain();
    if (tunnel === undefined || held === 0) return;
    const { count, newcomers, mute } = this.#through;
    const limits = this.#limits;
    const slots = Math.min(
      limits.handshakes,
      limits.newcomers - newcomers,
      (tunnel.kind === 'unix' ? (tunnel.atMost ?? Infinity) : Infinity) - count,
      (limits.descriptors - held) / 2 - count,
    );
    const isCrowd = held + newcomers > limits.few;
    if (slots > opening) {
      if (isCrowd) this.#room.identify(this.#through);
      const admitted = this.#room.admit({
        slots,
        mute: limits.mute - mute,
        perUser: limits.perUser,
        others: limits.others,
        unasked: !isCrowd,
        through: this.#through.newcomersByUser,
        random: Math.random,
      });
      for (const client of admitted) void this.#letThrough(client, tunnel);
    }
    // Newcomers grow old, and nobody may tell of it; whose a client is, is asked now and then.
    if (this.#room.counts().held > 0)
      this.#cancelAgain = this.#options.clock.after(againMs, () => this.#letIn());
  }

  async #letThrough(client: Client, tunnel: Tunnel): Promise<void> {
    const { clock, log } = this.#options;
    const { signal } = client.attempt;
    const guest = await reachGuest(tunnel, { clock, log, signal, throttle: this.#throttle });
    if (guest === undefined) return;
    if (signal.aborted) return void guest.destroy();
    const user = this.#room.forget(client);
    const { number } = client;
    const pair = this.#through.add({ number, user, client: client.held.giveBack(), guest });
    this.#onChange();
    const isLate = tunnel.kind === 'unix' && tunnel.endsTogether === true;
    const silenceMs = isLate ? lateEndMs : undefined;
    const end = await splice(pair.client, guest, { clock, silenceMs });
    this.#through.remove(pair);
    this.#log(end.kind === 'reset' ? 'info' : 'debug', 'door-ended', { client: number, ...end });
    this.#onChange();
  }

  /** Of those that are through there are others now, or more is known of them. */
  #onChange(): void {
    this.#options.onChange?.(this.counts());
    this.#letInSoon();
  }

  get #log(): Log {
    return this.#options.log;
  }
}

/** Somewhat above what sshd needs to greet one client on a slow guest (40 ms, emulated); a crowd is as fast as without. */
const turnMs = 100;

/** As long as our own image's sshd gives. */
const usualLoginMs = 20_000;

/** Between two looks whether somebody can be let in. */
const againMs = 250;

/** Far less than the 30 s after which HyperKit cuts a half-closed stream off. */
const lateEndMs = 3_000;
