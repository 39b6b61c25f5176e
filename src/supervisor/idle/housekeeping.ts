/**
 * What is done in a ready guest when nobody uses it: it gives memory and disk back to the host, and old store paths go while they are not
 * many yet. A build that comes meanwhile is let in at once, and finds all that it was told of.
 */
import { guestBusy, guestNotReady, guestSilent } from './idle-failures.ts';
import type { Layout } from '../../config/layout.ts';
import type { GuestAgent } from '../../guest/agent/agent.ts';
import { tidyGuest, trimGuest, type Collection } from '../../guest/agent/give-back.ts';
import type { StoreRoom } from '../../guest/agent/inside.ts';
import type { Clock } from '../../system/time/clock.ts';
import { within } from '../../system/time/deadline.ts';
import { Failed } from '../../system/failure.ts';
import type { Log } from '../../system/log.ts';
import { bytesToFree } from '../disk/bytes-to-free.ts';
import { Collecting } from './collecting.ts';
import { roomAt } from '../disk/disk-room.ts';
import { QuietTime } from './quiet-time.ts';
import type { DoorControl } from '../daemon/door-control.ts';

/** Whose guest it is, and what may be done in it. */
export interface HousekeepingOptions {
  readonly layout: Pick<Layout, 'root'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly doorControl: () => DoorControl;
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

/** What came within an hour is what a build has just been given, or has just made. */
const keepMinutes = 60;
/** A collection that could not free what it was to free is not begun again before that. */
const fruitlessMs = keepMinutes * 60_000;
/** Somebody who asked for a collection wants it done; a client that comes meanwhile is held for less time than any client waits. */
const askedGraceMs = 30_000;
/** A collection that is told to end needs less than 1 s. */
const endMs = 20_000;

/** Does one thing at a time. */
export class Housekeeping {
  readonly #options: HousekeepingOptions;
  readonly #quiet = new QuietTime();
  /** What only one at a time does. */
  #work: Promise<unknown> | undefined;
  /** Aborts what is done for nobody, when the guest goes. */
  #going = new AbortController();
  /** Monotonic; what is left of the store is kept by somebody, or has just come. */
  #fruitlessUntil = -Infinity;
  /** What is under way, and how long a client waits for it. */
  #collection: { readonly collecting: Collecting; readonly graceMs: number } | undefined;
  #asked = 0;

  constructor(options: HousekeepingOptions) {
    this.#options = options;
  }

  /** A look, every 5 s. */
  tick(): void {
    const { clock, doorControl, agent: find } = this.#options;
    const agent = find();
    const traffic = agent && doorControl().traffic;
    const now = clock.monotonic();
    const isBusy = this.#work !== undefined;
    if (!this.#quiet.isDue(traffic, now) || agent === undefined || isBusy) return;
    this.#quiet.noteTidied(now);
    const signal = this.#whileItStays;
    void this.#orLog('guest-not-tidied', signal, async () => {
      if (await this.#alone(() => this.#tidy(agent, signal))) await this.#giveBlocks(agent, signal);
    });
  }

  /** A client of ssh waits at the door. */
  onWaiting(): void {
    this.#collection?.collecting.stop(this.#collection.graceMs);
  }

  /** Whether somebody waits for what he has asked for. */
  get isAsked(): boolean {
    return this.#asked > 0;
  }

  /** The guest goes: nothing more is begun in it, a collection is ended, and nobody waits for the rest. Failed `guest-in-use` where a collection does not end. */
  async end(): Promise<void> {
    const { clock, signal } = this.#options;
    this.#going.abort(new Failed(guestNotReady));
    this.#going = new AbortController();
    this.#collection?.collecting.stop(0);
    const late = () => guestBusy;
    await within(async () => this.#work, { clock, signal, timeoutMs: endMs, late });
  }

  /**
   * Deletes all that nothing keeps. Nobody is let in from the moment on at which it is asked. Failed `guest-not-ready`, `guest-in-use`, or
   * as the agent.
   */
  collect(): Promise<Collected> {
    const signal = this.#whileItStays;
    const work = async () => {
      const agent = this.#agent;
      const collected = await this.#collect(agent, { keepMinutes: 0 }, askedGraceMs);
      if (collected.isDone) await this.#giveBlocks(agent, signal);
      return collected;
    };
    return this.#asAsked(() => this.#alone(work));
  }

  /** Gives free blocks back to the host; whether the disk takes them. Failed `guest-not-ready`, or as the agent. */
  trim(): Promise<boolean> {
    return this.#asAsked(() => trimGuest(this.#agent, this.#whileItStays));
  }

  /** Whether it has blocks to give back now. */
  async #tidy(agent: Pick<GuestAgent, 'exec'>, signal: AbortSignal): Promise<boolean> {
    const { clock, layout, log } = this.#options;
    const room = await tidyGuest(agent, signal);
    log('info', 'guest-tidied', { room });
    if (room === 'in-use') {
      // A build that came past the door, whose end nobody hears of.
      this.#quiet.end();
      return false;
    }
    const wanted = (now: StoreRoom) => bytesToFree(now, roomAt(layout.root).bytes);
    const bytes = room === undefined ? 0 : wanted(room);
    if (bytes === 0 || clock.monotonic() < this.#fruitlessUntil) return true;
    // A collection in a guest that is just being put into a file would go on when that is back, and takes clients.
    signal.throwIfAborted();
    const found = await this.#collect(agent, { bytes, keepMinutes }, 0);
    if (found.isDone && wanted(found) > 0) this.#fruitlessUntil = clock.monotonic() + fruitlessMs;
    return found.isDone;
  }

  /** Those who come meanwhile are let in: a disk that is far away takes its time. */
  #giveBlocks(agent: Pick<GuestAgent, 'exec'>, signal: AbortSignal): Promise<void> {
    return this.#orLog('guest-not-trimmed', signal, async () => {
      if (!(await trimGuest(agent, signal))) this.#options.log('debug', 'disk-keeps-blocks');
    });
  }

  /** A guest that is busy, or goes, does not do it: the next use is followed by another look. */
  async #orLog(event: string, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Failed)) throw error;
      this.#options.log('warn', event, { failure: error.failure });
    }
  }

  /** Aborts when the guest goes, or nothing more is asked of any. */
  get #whileItStays(): AbortSignal {
    return AbortSignal.any([this.#options.signal, this.#going.signal]);
  }

  async #collect(
    agent: Pick<GuestAgent, 'exec'>,
    what: Collection,
    graceMs: number,
  ): Promise<Collected> {
    const { clock, log, doorControl } = this.#options;
    const isThere = () => this.#options.agent() === agent;
    return this.#withNobodyIn(async () => {
      const collecting = new Collecting({ ...this.#options, agent, isThere });
      this.#collection = { collecting, graceMs };
      try {
        if (doorControl().hasWaiting) this.onWaiting();
        const begun = clock.monotonic();
        const found = await collecting.run(what);
        if (found === undefined) throw new Failed(guestSilent);
        log('info', 'store-collected', { ...found, ms: Math.round(clock.monotonic() - begun) });
        return found;
      } finally {
        this.#collection = undefined;
      }
    });
  }

  /** Nobody comes in meanwhile: who is told that a path is there shall find it. Failed `guest-in-use` where somebody is. */
  async #withNobodyIn<T>(work: () => Promise<T>): Promise<T> {
    const doorControl = this.#options.doorControl();
    doorControl.withhold(true);
    try {
      const { opening, entering, loggedIn } = doorControl.counts();
      if (opening + entering + loggedIn > 0) throw new Failed(guestBusy);
      return await work();
    } finally {
      doorControl.withhold(false);
    }
  }

  async #asAsked<T>(work: () => Promise<T>): Promise<T> {
    this.#asked++;
    try {
      return await work();
    } finally {
      this.#asked--;
    }
  }

  /** One at a time. */
  async #alone<T>(work: () => Promise<T>): Promise<T> {
    if (this.#work !== undefined) throw new Failed(guestBusy);
    const done = work();
    this.#work = done.catch(() => undefined);
    try {
      return await done;
    } finally {
      this.#work = undefined;
    }
  }

  get #agent(): Pick<GuestAgent, 'exec'> {
    const agent = this.#options.agent();
    if (agent === undefined) throw new Failed(guestNotReady);
    return agent;
  }
}
