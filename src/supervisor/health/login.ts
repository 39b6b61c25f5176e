/** Nix's way into a guest whose agent is silent: one login at a time is tried, as Nix would make it. */
import type { Probe } from '../../guest/login/probe.ts';
import type { Clock } from '../../system/time/clock.ts';
import { failureOf } from '../../system/failure.ts';
import { advice, asSentence, type Text } from '../../system/advice.ts';
import type { Log } from '../../system/log.ts';

/** What the last login found: builds get through, or what stands in their way. */
export type Login =
  | { readonly works: true }
  | { readonly works: false; readonly detail: string; readonly hint: Text };

interface LoginOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** One login as Nix makes it, that must reach a nix daemon that answers. Has a limit of its own. */
  readonly logIn: (signal: AbortSignal) => Promise<Probe>;
  /** It found something else than the last one; undefined: what it found does not count any more. */
  readonly onLogin: (found: Login | undefined) => void;
}

/** A login that takes longer is of no use to a build either. */
export const loginTimeoutMs = 15_000;
/** After a login is over: each costs a guest that is busy some processes. */
const pauseMs = 7_000;

/** The logins of one guest. */
export class Logins {
  readonly #options: LoginOptions;
  #trial: AbortController | undefined;
  #overAt = -Infinity;
  #found: Login | undefined;
  #answers = 0;

  constructor(options: LoginOptions) {
    this.#options = options;
    options.signal.addEventListener('abort', () => this.#cancel(), { once: true });
  }

  /** Logins that somebody in the guest has answered, whatever was said: signs of life. */
  get answers(): number {
    return this.#answers;
  }

  /** The agent is silent: logs in, unless that is being done or was done a moment ago. */
  want(): void {
    const isRecent = this.#options.clock.monotonic() - this.#overAt < pauseMs;
    if (this.#trial === undefined && !isRecent) void this.#try();
  }

  /** The agent answers, or the guest is not asked any more. */
  forget(): void {
    this.#cancel();
    this.#overAt = -Infinity;
    this.#tell(undefined);
  }

  #cancel(): void {
    this.#trial?.abort(new Error('this login is no longer needed'));
    this.#trial = undefined;
  }

  async #try(): Promise<void> {
    const trial = new AbortController();
    this.#trial = trial;
    const found = await this.#logIn(trial.signal);
    if (trial.signal.aborted) return;
    this.#trial = undefined;
    this.#overAt = this.#options.clock.monotonic();
    this.#tell(found);
  }

  async #logIn(signal: AbortSignal): Promise<Login> {
    try {
      const probe = await this.#options.logIn(signal);
      if (!signal.aborted && (probe.ok || insiders.has(probe.requirement))) this.#answers++;
      // Its clock is the agent's affair, and was looked at before builds came.
      if (probe.ok || probe.requirement === 'clock') return { works: true };
      return { works: false, detail: probe.detail, hint: probe.hint };
    } catch (error) {
      const { message: detail, hint } = failureOf(error);
      return { works: false, detail, hint };
    }
  }

  #tell(found: Login | undefined): void {
    const before = this.#found;
    if (JSON.stringify(found) === JSON.stringify(before)) return;
    this.#found = found;
    if (found !== undefined) this.#options.log(found.works ? 'info' : 'warn', 'login', found);
    this.#options.onLogin(found);
  }
}

/** What only a login that got in can find missing. */
const insiders: ReadonlySet<string> = new Set(['nix', 'clock']);

/** What `slow` means for builds, in a sentence. */
export function describeSlow(login: Login | undefined): Text {
  const silent = 'The guest agent does not answer in time';
  if (login === undefined) return `${silent}.`;
  if (login.works)
    return `${silent}, but a login reaches the Nix daemon in the guest, so builds work.`;
  return advice`${silent}, and logging in the way Nix does fails: ${asSentence(login.detail)} ${login.hint}`;
}
