/** The clients that wait at the door, and their turns: the queue with the sockets and the time that belong to it. */
import type { Socket } from 'node:net';
import type { Clock } from '../system/time/clock.ts';
import type { Level, Log } from '../system/log.ts';
import { holdClient, type HeldClient } from './held-client.ts';
import { waitsAtMost, type DoorLimits } from './door-limits.ts';
import { keyHolders, peerOf, UserLookup } from './peers.ts';
import {
  admit,
  arrive,
  countBy,
  emptyQueue,
  hasSsh,
  hasStranger,
  learn,
  learnUsers,
  leave,
  sendBack,
  tooMany,
  type QueueRoom,
  type User,
} from './queue.ts';
import type { Through } from './through.ts';

/** A connection that waits, or whose way is being opened. */
export interface Client {
  readonly number: number;
  readonly socket: Socket;
  readonly held: HeldClient;
  readonly cancelWaits: () => void;
  /** Ends the opening that is under way for it. */
  attempt: AbortController;
}

/** The user who has most at the door. */
export interface Crowd {
  /** Absent where the system does not tell. */
  readonly uid?: number;
  readonly waiting: number;
  /** With the guest, and not logged in as far as is known. */
  readonly newcomers: number;
}

interface WaitingRoomOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly holdMs: () => number;
  readonly limits: () => DoorLimits;
  /** Users by where a connection comes from (./peers.ts); undefined where the system does not tell. */
  readonly users: () => ReadonlyMap<string, number> | undefined;
  /** Somebody may be let in now who could not before. */
  readonly onChange: () => void;
  /** A client of ssh waits. */
  readonly onWaiting?: () => void;
}

/** Who waits, in turns that are fair to users, with limits on all of it. */
export class WaitingRoom {
  readonly #options: WaitingRoomOptions;
  readonly #clients = new Map<number, Client>();
  #queue = emptyQueue;
  #arrivals = 0;
  /** It is told once, until there is room again. */
  #isFull = false;
  readonly #lookup: UserLookup;

  constructor(options: WaitingRoomOptions) {
    this.#options = options;
    this.#lookup = new UserLookup(options);
  }

  counts(): { readonly held: number; readonly opening: number } {
    return { held: this.#queue.waiting.length, opening: this.#queue.opening.length };
  }

  /** Whether a client of ssh waits. Whoever only looks which ports are open says nothing. */
  get hasSsh(): boolean {
    return hasSsh(this.#queue);
  }

  arrive(socket: Socket): Client {
    const number = ++this.#arrivals;
    // Errors have their own listeners while they matter; one that comes later must not end the daemon.
    socket.on('error', () => undefined);
    const client: Client = {
      number,
      socket,
      held: holdClient(socket, {
        onGone: (why) => this.drop(client, 'debug', 'door-client-gone', why),
        onSsh: () => this.#onSsh(number),
        onNoise: () => this.drop(client, 'info', 'door-noise', 'the client does not speak ssh'),
      }),
      cancelWaits: this.#beginWaits(number),
      attempt: new AbortController(),
    };
    this.#clients.set(number, client);
    this.#queue = arrive(this.#queue, number);
    return client;
  }

  /** Those whose turn has come. */
  admit(room: Omit<QueueRoom, 'ours'>): readonly Client[] {
    const { queue, admitted } = admit(this.#queue, { ...room, ours: keyHolders });
    this.#queue = queue;
    return admitted.flatMap((number) => {
      const client = this.#clients.get(number);
      if (client === undefined) return [];
      client.attempt = new AbortController();
      return [client];
    });
  }

  /** Whoever was being let in waits again. */
  sendBack(): void {
    for (const { number } of this.#queue.opening) this.#clients.get(number)?.attempt.abort();
    this.#queue = sendBack(this.#queue);
  }

  /** It waits no more; whose it was, if that is known. */
  forget(client: Client): User {
    client.cancelWaits();
    this.#clients.delete(client.number);
    const { waiting, opening } = this.#queue;
    this.#queue = leave(this.#queue, client.number);
    return [...waiting, ...opening].find(({ number }) => number === client.number)?.user;
  }

  drop(client: Client, level: Level, event: string, why: string): void {
    this.#options.log(level, event, { client: client.number, why });
    this.forget(client);
    client.attempt.abort();
    client.held.discard();
    this.#options.onChange();
  }

  dropAll(event: string, why: string): void {
    this.#lookup.cancel();
    for (const client of [...this.#clients.values()]) this.drop(client, 'info', event, why);
  }

  /** There may be one too many now. */
  makeRoom(through: Through): void {
    const { held, opening } = this.counts();
    const most = waitsAtMost(this.#options.limits(), { opening, open: through.count });
    if (held < most / 2) this.#isFull = false;
    if (held <= most) return;
    // Else somebody may have to go who is the owner.
    this.identify(through, { isPressing: !hasStranger(this.#queue, keyHolders) });
    if (!this.#isFull) this.#options.log('warn', 'door-full', { waiting: held });
    this.#isFull = true;
    const client = this.#clients.get(
      tooMany(this.#queue, { ours: keyHolders, random: Math.random }) ?? 0,
    );
    if (client !== undefined)
      this.drop(client, 'debug', 'door-too-many', 'too many clients are waiting');
  }

  crowd(through: Through): Crowd | undefined {
    this.identify(through);
    const { waiting, opening } = this.#queue;
    const waits = countBy(waiting);
    const comes = through.newcomersByUser;
    const isLetIn = countBy(opening);
    const crowds = [...new Set([...waits.keys(), ...isLetIn.keys(), ...comes.keys()])].map(
      (user) => ({
        ...(typeof user === 'number' ? { uid: user } : {}),
        waiting: waits.get(user) ?? 0,
        newcomers: (isLetIn.get(user) ?? 0) + (comes.get(user) ?? 0),
      }),
    );
    const size = (crowd: Crowd) => crowd.waiting + crowd.newcomers;
    return crowds.sort((a, b) => size(b) - size(a))[0];
  }

  /** Asks whose connections those are that nobody has asked about: for each anew while there are few, now and then in a crowd. */
  identify({ pairs }: Through, { isPressing = false } = {}): void {
    const { waiting, opening } = this.#queue;
    const all = [...waiting, ...opening, ...pairs];
    if (all.every(({ user }) => user !== undefined)) return;
    const users = this.#lookup.users(all.length, isPressing);
    if (users === 'later') return;
    const userOf = (socket: Socket) => users?.get(peerOf(socket)) ?? ('unknown' as const);
    for (const pair of pairs) pair.user ??= userOf(pair.client);
    this.#queue = learnUsers(this.#queue, (number) => {
      const socket = this.#clients.get(number)?.socket;
      return socket && userOf(socket);
    });
  }

  /** For a client that waits: how long at most, and how long for a word of it. */
  #beginWaits(number: number): () => void {
    const { clock, holdMs, limits } = this.#options;
    const limitMs = holdMs();
    const drop = (why: string) => {
      const client = this.#clients.get(number);
      if (client !== undefined) this.drop(client, 'warn', 'door-hold-limit', why);
    };
    const cancels = [
      clock.after(limitMs, () => drop(`no guest was ready within ${limitMs / 1000} s`)),
      clock.after(limits().muteMs, () => this.#letComeSoon(number)),
    ];
    return () => {
      for (const cancel of cancels) cancel();
    };
  }

  #onSsh(client: number): void {
    this.#queue = learn(this.#queue, client, { isSsh: true });
    this.#letComeSoon(client);
  }

  /** Its words and its end may be there to be read, one after the other: those come first, and the guest never hears of one that is gone. */
  #letComeSoon(client: number): void {
    setImmediate(() => setImmediate(() => this.#letCome(client)));
  }

  #letCome(client: number): void {
    this.#queue = learn(this.#queue, client, { isDue: true });
    this.#options.onChange();
    if (this.hasSsh) this.#options.onWaiting?.();
  }
}
