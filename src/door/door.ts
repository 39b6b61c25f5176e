/**
 * The front door: what Nix's ssh connects to. It listens for the daemon's whole life; whoever comes while the guest is
 * away waits, and goes through when it is ready. Nobody is sent off without a reason in the log.
 */
import type { Socket } from 'node:net';
import type { Tunnel } from '../domain/tunnel.ts';
import type { Clock } from '../system/time/clock.ts';
import { descriptorLimit } from '../system/socket/descriptors.ts';
import type { Log } from '../system/log.ts';
import { Admission } from './admission.ts';
import { Entrance, type DoorPlace } from './entrance.ts';
import { limitsFor, type DoorLimits } from './door-limits.ts';
import { usersOf } from './peers.ts';
import { Through, type Counts } from './through.ts';
import { WaitingRoom, type Crowd } from './waiting-room.ts';

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
   * has not logged in. `greeted`: for the first who waits.
   */
  release(tunnel: Tunnel, loginMs?: number, greeted?: Socket): void;
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
  readonly #admission: Admission;
  #limits: DoorLimits;
  #refusal: string | undefined;

  constructor(options: DoorOptions) {
    this.#options = options;
    this.#limits = { ...limitsFor(Infinity), ...options.limits };
    this.#through = new Through(options.clock);
    this.#room = new WaitingRoom({
      ...options,
      limits: () => this.#limits,
      users: () => (this.place.kind === 'tcp' ? usersOf(this.place.port) : undefined),
      onChange: () => this.#admission.soon(),
    });
    this.#admission = new Admission({
      ...options,
      room: this.#room,
      through: this.#through,
      limits: () => this.#limits,
      onChange: () => this.#onChange(),
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

  release(tunnel: Tunnel, loginMs = usualLoginMs, greeted?: Socket): void {
    if (this.#admission.tunnel !== undefined) this.hold('another guest took its place');
    this.#admission.tunnel = tunnel;
    this.#refusal = undefined;
    this.#through.loginMs = loginMs;
    this.#log('info', 'door-released', { waiting: this.#room.counts().held });
    this.#admission.nowBy(greeted);
  }

  hold(why: string): void {
    if (this.#admission.tunnel !== undefined) this.#log('info', 'door-holding', { why });
    this.#admission.tunnel = undefined;
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
    this.#admission.stop();
  }

  #onArrival(socket: Socket): void {
    const client = this.#room.arrive(socket);
    this.#log('debug', 'door-arrival', {
      client: client.number,
      ready: this.#admission.tunnel !== undefined,
    });
    if (this.#refusal !== undefined)
      return this.#room.drop(client, 'info', 'door-refused', this.#refusal);
    this.#room.makeRoom(this.#through);
  }

  /** Of those that are through there are others now, or more is known of them. */
  #onChange(): void {
    this.#options.onChange?.(this.counts());
    this.#admission.soon();
  }

  get #log(): Log {
    return this.#options.log;
  }
}

/** As long as our own image's sshd gives. */
const usualLoginMs = 20_000;
