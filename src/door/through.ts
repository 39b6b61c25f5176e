/** The connections that are through the door: a client's and its guest's, each. */
import type { Socket } from 'node:net';
import type { Clock } from '../system/time/clock.ts';
import type { User } from './queue.ts';

interface Pair {
  readonly number: number;
  readonly client: Socket;
  readonly guest: Socket;
  user: User;
  /** When the guest had greeted it, monotonic. */
  readonly since: number;
}

/** How many connections there are now. */
export interface Counts {
  /** Wait. */
  readonly held: number;
  /** Wait for the guest's greeting. */
  readonly opening: number;
  /** Are through. */
  readonly open: number;
  /** Of these, have logged in, as the guest tells; all, where it does not tell. */
  readonly loggedIn: number;
  /** Of the others, came so lately that they may be logging in. */
  readonly entering: number;
}

/** Counts them and their bytes, and knows how many of them have logged in. */
export class Through {
  readonly #clock: Clock;
  readonly #pairs = new Set<Pair>();
  #bytesOfEnded = 0;
  /** As the guest said; undefined where it does not. */
  #told: number | undefined;

  /** After so long the guest has cut off whoever has not logged in. */
  loginMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get count(): number {
    return this.#pairs.size;
  }

  get pairs(): readonly Pair[] {
    return [...this.#pairs];
  }

  add(pair: Omit<Pair, 'since'>): Pair {
    const added = { ...pair, since: this.#clock.monotonic() };
    this.#pairs.add(added);
    return added;
  }

  remove(pair: Pair): void {
    // Whether this one had logged in is not known, unless all had.
    const haveAll = this.#told !== undefined && this.#told >= this.count;
    this.#pairs.delete(pair);
    if (haveAll) this.#told = this.count;
    this.#bytesOfEnded += pair.guest.bytesRead;
  }

  /** The guest says so many have logged in; undefined: it does not say any more. */
  tell(loggedIn: number | undefined): void {
    this.#told = loggedIn;
  }

  /** Those that have logged in. All, where the guest does not tell: then none is taken for a stranger's. */
  get loggedIn(): number {
    return Math.min(this.#told ?? this.count, this.count);
  }

  /** Those that may still have to log in: not more than the guest leaves over, nor than have had no time for it. */
  get newcomers(): number {
    return Math.max(0, Math.min(this.count - (this.#told ?? 0), this.#young.length));
  }

  /** Newcomers who have not had a third of the time yet that the guest gives them. Real ones need none of it, but where the guest is slow. */
  get entering(): number {
    const { length } = this.#since(this.loginMs / 3);
    return Math.min(this.count - this.loggedIn, length);
  }

  /** Newcomers that have not said a word. */
  get mute(): number {
    return this.#young.filter(({ client }) => client.bytesRead === 0).length;
  }

  /** Of each user, those that may still have to log in. Who has logged in is more likely the owner or root than anybody else. */
  get newcomersByUser(): ReadonlyMap<User, number> {
    const counts = new Map<User, number>();
    for (const { user } of this.#young) counts.set(user, (counts.get(user) ?? 0) + 1);
    let loggedIn = this.#young.length - this.newcomers;
    for (const user of [process.getuid?.(), 0]) {
      const count = Math.min(loggedIn, counts.get(user) ?? 0);
      counts.set(user, (counts.get(user) ?? 0) - count);
      loggedIn -= count;
    }
    return counts;
  }

  bytesFromGuest(): number {
    return this.pairs.reduce((sum, { guest }) => sum + guest.bytesRead, this.#bytesOfEnded);
  }

  destroy(): void {
    for (const { client, guest } of this.#pairs) {
      client.destroy();
      guest.destroy();
    }
  }

  get #young(): readonly Pair[] {
    return this.#since(this.loginMs + lateMs);
  }

  #since(ms: number): readonly Pair[] {
    const oldest = this.#clock.monotonic() - ms;
    return this.pairs.filter(({ since }) => since > oldest);
  }
}

/** The guest counts from the connection on, on a clock of its own. */
const lateMs = 5_000;
