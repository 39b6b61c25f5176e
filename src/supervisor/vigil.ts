/**
 * The watch over a ready guest: that it lives, and that its clock is right. One look with each tick of the daemon while all is
 * well, so that it costs no timer of its own; all the time while the agent is silent; a frozen guest is found within 30 s.
 * After a sleep it looks at once.
 */
import type { GuestAgent } from '../guest/agent.ts';
import { asleepMs } from '../system/awake.ts';
import type { Clock } from '../system/clock.ts';
import { within } from '../system/deadline.ts';
import { Exit, failureOf, type Failure } from '../system/failure.ts';
import type { Log } from '../system/log.ts';
import type { Logins } from './login.ts';
import { feel, freshPulse, healthOf, type Health } from './vital-signs.ts';

export interface VigilOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Gives up by itself after 5 s. */
  readonly agent: Pick<GuestAgent, 'time' | 'setTime'>;
  readonly signal: AbortSignal;
  /** Does the guest's sshd greet? False when the signal ends the wait. */
  readonly greets: (signal: AbortSignal) => Promise<boolean>;
  /** Asked for while the agent is silent. */
  readonly logins: Pick<Logins, 'want' | 'forget' | 'answers'>;
  /** Bytes that the guest has written to its console. */
  readonly consoleBytes: () => number;
  /** Disk operations so far; rejects when the VM program does not answer. */
  readonly diskOperations: () => Promise<number>;
  /** Bytes that came from the guest through the front door so far. */
  readonly doorBytes: () => number;
  readonly onHealth: (health: Health) => void;
  /** The guest's clock minus ours, in ms, when it was looked at; after it was set if it had to be. */
  readonly onClock: (offsetMs: number) => void;
}

/**
 * A tick (5 s) until a look begins to find silence, then 20 s of silence, at most 3 s more until the look ends that sees them:
 * 28 s. As long as the agent's own limit, which is also the tick's: a timer cancelled in time still wakes Node when it
 * would have been due, unless another of the same length is due before.
 */
const answerMs = 5_000;
const silentMs = 1_000;
/** Readiness promises 2 s; a guest is set right long before that. */
const clockToleranceMs = 500;

/** Looks again and again until its signal aborts. */
export class Vigil {
  readonly #options: VigilOptions;
  #pulse = freshPulse();
  #agentAnswers = 0;
  #greetings = 0;
  #looking = false;
  #halted = false;
  #cancel: () => void = () => undefined;

  constructor(options: VigilOptions) {
    this.#options = options;
    options.signal.addEventListener('abort', () => this.#cancel(), { once: true });
    // The guest set its clock from one that counts whole seconds.
    this.#next(0);
  }

  /** Looks, unless it is about to anyway. To be called every 5 s. */
  tick(): void {
    const { signal } = this.#options;
    const isSilent = this.#pulse.silentSince !== undefined;
    if (!signal.aborted && !this.#halted && !isSilent) void this.#look();
  }

  /** Time has passed in which nothing could move: forget it, and look now. */
  afterGap(): void {
    this.#pulse = freshPulse(this.#pulse.signs);
    this.#options.logins.forget();
    this.#next(0);
  }

  /** The guest goes on. */
  resume(): void {
    this.#halted = false;
    this.afterGap();
  }

  /** The guest cannot answer and that is known: its disk is full. */
  halt(): void {
    this.#halted = true;
    this.#cancel();
    this.#options.logins.forget();
  }

  #next(ms: number): void {
    this.#cancel();
    if (this.#options.signal.aborted || this.#halted) return;
    const { clock } = this.#options;
    const due = clock.monotonic() + ms;
    this.#cancel = clock.after(ms, () => {
      if (clock.monotonic() - due > asleepMs) this.#pulse = freshPulse(this.#pulse.signs);
      void this.#look();
    });
  }

  async #look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    const { clock, signal, logins, onHealth } = this.#options;
    const begun = clock.monotonic();
    const wasSilent = this.#pulse.silentSince !== undefined;
    const [answered, disk] = await Promise.all([
      this.#askAgent(),
      wasSilent ? this.#diskOperations() : undefined,
      wasSilent && this.#greet(),
    ]);
    const signs = {
      agent: this.#agentAnswers,
      sshd: this.#greetings,
      login: logins.answers,
      console: this.#options.consoleBytes(),
      disk,
      door: this.#options.doorBytes(),
    };
    this.#looking = false;
    if (signal.aborted || this.#halted) return;
    const now = clock.monotonic();
    const slept = now - begun > answerMs + asleepMs;
    this.#pulse = slept ? freshPulse(signs) : feel(this.#pulse, signs, begun);
    onHealth(healthOf(this.#pulse, now));
    if (answered) return logins.forget();
    logins.want();
    this.#next(silentMs);
  }

  /** One question that answers two: does the agent live, and what does its clock say? */
  async #askAgent(): Promise<boolean> {
    const { agent, clock, signal, log, onClock } = this.#options;
    try {
      const asked = clock.now();
      const guestMs = await agent.time(signal);
      const offset = guestMs - (asked + clock.now()) / 2;
      this.#agentAnswers++;
      if (Math.abs(offset) <= clockToleranceMs) return true;
      await agent.setTime(undefined, signal);
      log('info', 'clock-set', { wasOffMs: Math.round(offset) });
      onClock(0);
      return true;
    } catch (error) {
      if (!signal.aborted) log('debug', 'agent-silent', { why: failureOf(error).message });
      return false;
    }
  }

  /** The agent is silent: does sshd still greet? */
  async #greet(): Promise<void> {
    if ((await this.#inTime(this.#options.greets)) === true) this.#greetings++;
  }

  /** A VM program that hangs does not answer: what was known stands. */
  async #diskOperations(): Promise<number | undefined> {
    return (await this.#inTime(this.#options.diskOperations)) ?? this.#pulse.signs.disk;
  }

  /** What the work gives, or undefined when it fails or takes too long. */
  async #inTime<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
    const { clock, signal } = this.#options;
    try {
      return await within(work, { clock, timeoutMs: answerMs, signal, late: () => mute });
    } catch {
      return undefined;
    }
  }
}

const mute: Failure = { kind: 'vm-mute', message: '', hint: '', exit: Exit.temporary };
