/** The front door as the supervisor uses it: opened with the first config, kept for life, and drained on request. */
import { doorReasons } from '../lifecycle/own-reasons.ts';
import { isDeepStrictEqual } from 'node:util';
import type { Config } from '../../config/config.ts';
import { openDoor, type Door } from '../../door/door.ts';
import type { DoorPlace } from '../../door/entrance.ts';
import type { Counts } from '../../door/through.ts';
import type { Crowd } from '../../door/waiting-room.ts';
import { advice } from '../../system/advice.ts';
import { AwakeClock } from '../../system/time/awake.ts';
import type { Clock } from '../../system/time/clock.ts';
import { Failed, type Failure } from '../../system/failure.ts';
import type { Log } from '../../system/log.ts';
import type { DoorStatus } from '../status/door-status.ts';
import { KeepAwake } from './keep-awake.ts';
import { LoginWatch, type WayIn } from '../health/login-watch.ts';

/** `hold`: they wait, as for a guest that starts. `refuse`: they are sent off, whatever the guest does. */
export type KeepOut = 'hold' | 'refuse';

/** What a door needs beside the settings. */
export interface DoorControlOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Where the door listens that is a Unix socket. */
  readonly doorSocket: string;
}

interface DoorControlNews {
  /** A connection that is through came or went, or has logged in. */
  readonly onCounts?: (counts: Counts) => void;
  /** A client of ssh has come to wait. */
  readonly onWaiting?: () => void;
  /** The door can be reached no more, or can again. */
  readonly onDoor?: () => void;
}

/** The one door of a daemon: who is let in, who waits, who is sent off, and why. */
export class DoorControl {
  readonly #clock: Clock;
  readonly #log: Log;
  #door: Door | undefined;
  #holdSeconds = 0;
  /** For whoever is let in; undefined while the guest is away. */
  #wayIn: WayIn | undefined;
  /** Why no guest will come, where none will. */
  #refusal: string | undefined;
  #draining = false;
  #turnsAway = false;
  #withheld = false;
  /** Why the door cannot be made again. */
  #trouble: Failure | undefined;
  readonly #awake: KeepAwake;
  readonly #logins: LoginWatch;
  readonly #news: DoorControlNews;
  readonly #socket: string;
  /** Opening and closing come one after the other. */
  #turn: Promise<void> = Promise.resolve();

  constructor({ clock, log, doorSocket }: DoorControlOptions, news: DoorControlNews = {}) {
    this.#news = news;
    this.#socket = doorSocket;
    this.#clock = clock;
    this.#log = log;
    this.#awake = new KeepAwake(clock, log);
    this.#logins = new LoginWatch({
      clock,
      counts: () => this.counts(),
      tell: (loggedIn) => this.#door?.tellLoggedIn(loggedIn),
    });
  }

  get place(): DoorPlace | undefined {
    return this.#door?.place;
  }

  get isDraining(): boolean {
    return this.#draining;
  }

  /** What is told of the open door. */
  get told(): DoorStatus | undefined {
    const { place } = this;
    if (place === undefined) return undefined;
    const where = place.kind === 'tcp' ? { port: place.port } : { socket: place.path };
    const told = { ...where, draining: this.#draining };
    const trouble = this.#trouble && {
      trouble: advice`${this.#trouble.message} ${this.#trouble.hint}`,
    };
    return { ...told, ...(this.#turnsAway && { refusing: true }), ...trouble };
  }

  /** Opens the door, or another one when the config says so now; those who wait there are sent off. */
  open(config: Config): Promise<void> {
    this.adopt(config);
    return this.#inTurn(() => this.#open(config));
  }

  async #open({ door, port }: Config): Promise<void> {
    const place: DoorPlace =
      door === 'tcp' ? { kind: 'tcp', port } : { kind: 'unix', path: this.#socket };
    if (this.#door !== undefined && isDeepStrictEqual(this.#door.place, place)) return;
    await this.#close();
    const holdMs = () => this.#holdSeconds * 1000;
    this.#door = await openDoor({
      place,
      holdMs,
      log: this.#log,
      // Whoever came before a sleep is not sent off at the wake.
      clock: new AwakeClock(this.#clock),
      onChange: (counts) => {
        this.#awake.note(counts.loggedIn);
        this.#logins.note();
        this.#news.onCounts?.(counts);
      },
      onWaiting: () => this.#news.onWaiting?.(),
    });
    // It begins by holding; who was drained stays so.
    if (this.#turnsAway) this.#door.refuse(doorReasons.refusing);
  }

  /** What needs no other door: it counts for whoever comes from now on. */
  adopt({ holdSeconds, keepAwake }: Pick<Config, 'holdSeconds' | 'keepAwake'>): void {
    this.#holdSeconds = holdSeconds;
    this.#awake.want(keepAwake);
  }

  /** Lets in whoever waits and comes, unless it is drained. */
  release(wayIn: WayIn | undefined): void {
    this.#wayIn = wayIn;
    this.#refusal = undefined;
    if (wayIn === undefined) return;
    this.#letIn();
    this.#logins.begin(wayIn.askLoggedIn);
  }

  hold(why: string): void {
    this.#noGuest();
    this.#refusal = undefined;
    this.#keepOut(why);
  }

  refuse(why: string): void {
    this.#noGuest();
    this.#refusal = why;
    this.#door?.refuse(why);
  }

  /** Lets no new connection in, or lets them in again; those that are through go on. */
  drain(isWanted: boolean, how: KeepOut): void {
    if (how === 'hold') this.#draining = isWanted;
    else this.#turnsAway = isWanted;
    if (this.#refusal !== undefined) return this.#door?.refuse(this.#refusal);
    this.#keepOut(isWanted ? doorReasons.draining : doorReasons.undrained);
    this.#letIn();
  }

  /** Lets nobody in for a moment, of which nothing is told, or lets them in again; those that are through go on. */
  withhold(isWanted: boolean): void {
    this.#withheld = isWanted;
    if (this.#wayIn === undefined || this.#draining) return;
    if (isWanted) this.#keepOut(doorReasons.collecting);
    else this.#letIn();
  }

  #keepOut(why: string): void {
    if (this.#turnsAway) this.#door?.refuse(doorReasons.refusing);
    else this.#door?.hold(why);
  }

  /** Connections now. Whoever asks whether the guest is in use wants those that have logged in: strangers' are never among them. */
  counts(): Counts {
    return this.#door?.counts() ?? { held: 0, opening: 0, open: 0, loggedIn: 0, entering: 0 };
  }

  /** Whether a client of ssh waits for the guest. */
  get hasWaiting(): boolean {
    return this.#door?.hasWaiting === true;
  }

  /** Who crowds the door, if anybody does. */
  crowd(): Crowd | undefined {
    return this.#door?.crowd();
  }

  /** What tells whether somebody has been in the guest since; undefined while somebody is. */
  get traffic(): number | undefined {
    const { opening, open } = this.counts();
    return opening + open === 0 ? this.bytesFromGuest() : undefined;
  }

  /** Bytes that came from guests so far. */
  bytesFromGuest(): number {
    return this.#door?.bytesFromGuest() ?? 0;
  }

  /** Makes the door's name again where that is gone; why it cannot be is told once. */
  keep(): Promise<void> {
    return this.#inTurn(async () => {
      try {
        await this.#door?.keep();
        this.#tellTrouble(undefined);
      } catch (error) {
        if (!(error instanceof Failed)) throw error;
        this.#tellTrouble(error.failure);
      }
    });
  }

  #tellTrouble(trouble: Failure | undefined): void {
    if (trouble?.kind === this.#trouble?.kind) return;
    this.#trouble = trouble;
    if (trouble !== undefined) this.#log('warn', 'door-lost', { failure: trouble });
    this.#news.onDoor?.();
  }

  close(): Promise<void> {
    return this.#inTurn(() => this.#close());
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  async #close(): Promise<void> {
    this.#logins.end();
    const door = this.#door;
    this.#door = this.#trouble = undefined;
    await door?.close();
    this.#awake.end();
  }

  #letIn(): void {
    if (this.#wayIn === undefined || this.#draining || this.#turnsAway || this.#withheld) return;
    this.#door?.release(this.#wayIn.tunnel, this.#wayIn.loginMs, this.#wayIn.takeGreeted?.());
  }

  #noGuest(): void {
    this.#wayIn = undefined;
    this.#logins.end();
  }
}
