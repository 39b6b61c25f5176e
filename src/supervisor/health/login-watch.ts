/** Sees that the front door knows how many of its connections have logged in: the guest is asked while that is not certain. */
import type { Socket } from 'node:net';
import { addAbortListener } from 'node:events';
import type { Tunnel } from '../../domain/tunnel.ts';
import type { Counts } from '../../door/through.ts';
import type { Clock } from '../../system/time/clock.ts';

/** As `askLoggedIn` of the guest: waits for news for a while where something is known. Rejects when the signal aborts. */
type AskLoggedIn = (known: number | undefined, signal: AbortSignal) => Promise<number | undefined>;

/** What the front door has to know of a guest that is ready. */
export interface WayIn {
  readonly tunnel: Tunnel;
  /** How long the guest gives a client that it has greeted to log in. */
  readonly loginMs: number;
  readonly askLoggedIn: AskLoggedIn;
  /** A connection that the guest has greeted, for the first who is let in; once. */
  readonly takeGreeted?: () => Socket | undefined;
}

interface LoginWatchOptions {
  readonly clock: Clock;
  readonly counts: () => Counts;
  /** Undefined: the guest does not tell. */
  readonly tell: (loggedIn: number | undefined) => void;
}

/** A question costs the guest a process: strangers who come and go are asked about so often at most. */
const pauseMs = 100;
/** After each silence in a row; when these are over, only while somebody is there. The agent comes up a moment after a guest is ready. */
const longestMs = 16_000;
const silentMs = [1_000, 2_000, 4_000, 8_000, longestMs];

export class LoginWatch {
  readonly #options: LoginWatchOptions;
  #scope: AbortController | undefined;
  #onChange: () => void = () => undefined;

  constructor(options: LoginWatchOptions) {
    this.#options = options;
  }

  /** The guest is there, and this is the way to ask it. */
  begin(ask: AskLoggedIn): void {
    this.end();
    this.#options.tell(undefined);
    const scope = (this.#scope = new AbortController());
    void this.#watch(ask, scope.signal).catch((error: unknown) => {
      if (!scope.signal.aborted) throw error;
    });
  }

  /** The guest is away, or stands still. Of those that are through all is known as it was: nobody comes in. */
  end(): void {
    this.#scope?.abort(new Error('the guest is away'));
    this.#scope = undefined;
  }

  /** A connection came or went. */
  note(): void {
    this.#onChange();
  }

  async #watch(ask: AskLoggedIn, signal: AbortSignal): Promise<void> {
    const { clock, counts, tell } = this.#options;
    let known: number | undefined;
    for (let silences = 0; ;) {
      const found = await ask(known, signal);
      signal.throwIfAborted();
      tell(found);
      silences = found === undefined ? silences + 1 : 0;
      const ms = silences === 0 ? pauseMs : (silentMs[silences - 1] ?? longestMs);
      await clock.sleep(ms, signal);
      while (this.#isCertain(silences)) await this.#change(signal);
      // Of the door's own: the guest may count others, of which nothing is to be heard.
      known = found === undefined ? undefined : counts().loggedIn;
    }
  }

  /** Whether all that are through have logged in; or there is nobody of whom a guest could tell that never does. */
  #isCertain(silences: number): boolean {
    const { open, loggedIn } = this.#options.counts();
    return silences === 0 ? open === loggedIn : open === 0 && silences > silentMs.length;
  }

  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = () => reject(signal.reason as Error);
      this.#onChange = () => {
        listening[Symbol.dispose]();
        resolve();
      };
      const listening = addAbortListener(signal, onAbort);
    });
  }
}
