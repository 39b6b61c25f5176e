/**
 * What is done in a ready guest when nobody uses it: it gives memory and disk back to the host, and old store paths go while they are not
 * many yet. A
 * build that comes meanwhile is let in at once, and finds all that it was told of.
 */
import type { Layout } from '../config/layout.ts';
import type { GuestAgent } from '../guest/agent.ts';
import {
  collectGarbage,
  stopCollecting,
  tidyGuest,
  trimGuest,
  type Collection,
} from '../guest/give-back.ts';
import type { StoreRoom } from '../guest/inside.ts';
import type { Clock } from '../system/clock.ts';
import { Exit, Failed, type Failure } from '../system/failure.ts';
import type { Log } from '../system/log.ts';
import { roomAt } from './disk-room.ts';
import type { Gate } from './gate.ts';

export interface HousekeepingOptions {
  readonly layout: Pick<Layout, 'root'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly gate: () => Gate;
  /** Of a guest that is ready and whose agent has announced itself. */
  readonly agent: () => Pick<GuestAgent, 'exec'> | undefined;
  /** Aborts when nothing more is asked of a guest. */
  readonly signal: AbortSignal;
}

/** How a collection went. */
export interface Collected extends StoreRoom {
  /** All that was to go is gone; else a build came. */
  readonly isDone: boolean;
}

/** Nix comes and goes between two builds: after so long nobody is in the midst of some. */
const quietMs = 30_000;
/** What came within an hour is what a build has just been given, or has just made. */
const keepMinutes = 60;
/** A collection that could not free what it was to free is not begun again before that. */
const fruitlessMs = keepMinutes * 60_000;
/** Somebody who asked for a collection wants it done; a client that comes meanwhile is held for less than any patience. */
const patienceMs = 30_000;

const GiB = 1024 ** 3;
/** Less than this on the host's disk, and the guest is told to keep no more than it must. */
const hostShort = 8 * GiB;
/** Not worth the reading of all of a store's roots. */
const leastUsed = GiB;

/**
 * How much is to go: below a quarter of a disk that is free, as much as makes it half; where the host is short of room, all. Long before
 * Nix itself begins in the midst of a build (`min-free`), which it does when a tenth is left. 0: nothing.
 */
export function bytesToFree({ diskBytes, diskFreeBytes }: StoreRoom, hostRoom: number): number {
  if (diskFreeBytes < diskBytes / 4) return Math.ceil(diskBytes / 2 - diskFreeBytes);
  const used = diskBytes - diskFreeBytes;
  return hostRoom < hostShort && used > leastUsed ? used : 0;
}

export class Housekeeping {
  readonly #options: HousekeepingOptions;
  /** What had come through the door when nobody was there any more, and since when. */
  #quiet: { readonly traffic: number; readonly since: number } | undefined;
  #isTidy = false;
  #isBusy = false;
  /** Monotonic; what is left of the store is kept by somebody, or has just come. */
  #fruitlessUntil = -Infinity;
  /** Of the collection that is under way: has it end. */
  #interrupt: (() => void) | undefined;

  constructor(options: HousekeepingOptions) {
    this.#options = options;
  }

  /** A look, every 5 s. */
  tick(): void {
    const { clock, gate, agent: find } = this.#options;
    const agent = find();
    const traffic = agent && gate().traffic;
    if (agent === undefined || traffic === undefined) return void (this.#quiet = undefined);
    const now = clock.monotonic();
    if (this.#quiet?.traffic !== traffic) {
      this.#quiet = { traffic, since: now };
      this.#isTidy = false;
    }
    if (this.#isTidy || this.#isBusy || now - this.#quiet.since < quietMs) return;
    this.#isTidy = true;
    void this.#alone(() => this.#tidy(agent)).catch((error: unknown) => {
      // A guest that is busy, or goes: the next use is followed by another look.
      if (!(error instanceof Failed) && !this.#options.signal.aborted) throw error;
    });
  }

  /** A client of ssh waits at the door. */
  onWaiting(): void {
    this.#interrupt?.();
  }

  /** Deletes all that nothing keeps. Failed `guest-not-ready`, `guest-in-use`, or as the agent. */
  collect(): Promise<Collected> {
    return this.#alone(() => this.#collect(this.#agent, { keepMinutes: 0 }, patienceMs));
  }

  /** Gives free blocks back to the host; whether the disk takes them. Failed `guest-not-ready`, or as the agent. */
  async trim(): Promise<boolean> {
    return trimGuest(this.#agent, this.#options.signal);
  }

  async #tidy(agent: Pick<GuestAgent, 'exec'>): Promise<void> {
    const { clock, layout, log, signal } = this.#options;
    const room = await tidyGuest(agent, signal);
    log('info', 'guest-tidied', { room });
    if (room === undefined) return;
    // A build that came past the door, whose end nobody hears of.
    if (room === 'in-use') return void (this.#quiet = undefined);
    const wanted = (now: StoreRoom) => bytesToFree(now, roomAt(layout.root).bytes);
    const bytes = wanted(room);
    if (bytes === 0 || clock.monotonic() < this.#fruitlessUntil) return;
    const found = await this.#collect(agent, { bytes, keepMinutes }, 0);
    if (found.isDone && wanted(found) > 0) this.#fruitlessUntil = clock.monotonic() + fruitlessMs;
  }

  /** Nobody comes in meanwhile: who is told that a path is there shall find it. */
  async #collect(
    agent: Pick<GuestAgent, 'exec'>,
    what: Collection,
    patience: number,
  ): Promise<Collected> {
    const { clock, log, signal } = this.#options;
    const gate = this.#options.gate();
    gate.withhold(true);
    let cancel: (() => void) | undefined;
    this.#interrupt = () => {
      const stop = () => void stopCollecting(agent, signal).catch(() => undefined);
      cancel ??= clock.after(patience, stop);
    };
    try {
      const { opening, entering, loggedIn } = gate.counts();
      if (opening + entering + loggedIn > 0) throw new Failed(inUse);
      if (gate.hasWaiting) this.#interrupt();
      const begun = clock.monotonic();
      const found = await collectGarbage(agent, what, signal);
      if (found === undefined) throw new Failed(notSaid);
      log('info', 'store-collected', { ...found, ms: Math.round(clock.monotonic() - begun) });
      return found;
    } finally {
      cancel?.();
      this.#interrupt = undefined;
      gate.withhold(false);
    }
  }

  /** One at a time. */
  async #alone<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isBusy) throw new Failed(inUse);
    this.#isBusy = true;
    try {
      return await work();
    } finally {
      this.#isBusy = false;
    }
  }

  get #agent(): Pick<GuestAgent, 'exec'> {
    const agent = this.#options.agent();
    if (agent === undefined) throw new Failed(notReady);
    return agent;
  }
}

const notReady: Failure = {
  kind: 'guest-not-ready',
  message: 'The guest is not ready, or its agent is not there.',
  hint: 'Try again when it is: linuxkit-builder wait.',
  exit: Exit.temporary,
};

const inUse: Failure = {
  kind: 'guest-in-use',
  message: 'Somebody is in the guest, or its store is being tidied already.',
  hint: 'Try again when that is over: linuxkit-builder status says who is there.',
  exit: Exit.temporary,
};

const notSaid: Failure = {
  kind: 'guest-silent',
  message: 'The guest did not say what became of its store.',
  hint: 'See: linuxkit-builder status, linuxkit-builder console.',
  exit: Exit.temporary,
};
