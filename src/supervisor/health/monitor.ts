/**
 * The watch over a ready guest: that it lives, and that its clock is right. One look with each tick of the daemon while all is
 * well, so that it costs no timer of its own, and with each third one while nobody uses the guest; every second while the agent is
 * silent. A guest that froze is found within 30 s of when somebody uses it. After a sleep it looks at once.
 */
import type { GuestAgent } from '../../guest/agent/agent.ts';
import { asleepMs } from '../../system/time/awake.ts';
import type { Clock } from '../../system/time/clock.ts';
import { within } from '../../system/time/deadline.ts';
import { Exit, failureOf, type Failure } from '../../system/failure.ts';
import type { Log } from '../../system/log.ts';
import type { Logins } from './login.ts';
import {
  observe,
  freshLiveness,
  healthOf,
  unanswered,
  type Health,
  type Signs,
} from './liveness.ts';

/** Whom it asks, and whom it tells. */
export interface LivenessMonitorOptions {
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
  /** Whether anybody is through the front door, or about to be. */
  readonly isUsed: () => boolean;
  readonly onHealth: (health: Health) => void;
  /** The guest's clock minus ours, in ms, when it was looked at; after it was set if it had to be. */
  readonly onClock: (offsetMs: number) => void;
}

/**
 * A tick (5 s; three where nobody uses the guest) until a question is left unanswered, then 20 s of silence, and a second more until
 * the look that sees them: 26 s, or 36.
 * As long as the agent's own limit, which is also the tick's: a timer cancelled in time still wakes Node when it
 * would have been due, unless another of the same length is due before.
 */
const answerMs = 5_000;
/**
 * So many ticks from one look to the next while nobody uses the guest: each wakes the host's processor and the guest's, and nobody waits for
 * what it finds. Who comes is seen by the next tick.
 */
const unusedTicks = 3;
/** Between two looks while the agent is silent. What moves last is seen so much later at most. */
const silentMs = 1_000;
/** Readiness promises 2 s; a guest is set right long before that. */
const clockToleranceMs = 500;

/** Looks again and again until its signal aborts. */
export class LivenessMonitor {
  readonly #options: LivenessMonitorOptions;
  #pulse = freshLiveness();
  #agentAnswers = 0;
  #greetings = 0;
  #disk: number | undefined;
  /** Questions that are not answered yet: each is asked one at a time. */
  readonly #open = new Set<keyof Signs>();
  /** Since the last look. */
  #ticks = 0;
  #halted = false;
  #cancel: () => void = () => undefined;

  constructor(options: LivenessMonitorOptions) {
    this.#options = options;
    options.signal.addEventListener('abort', () => this.#cancel(), { once: true });
    // The guest set its clock from one that counts whole seconds.
    this.#next(0);
  }

  /** Looks if it is time to, unless it is about to anyway. To be called every 5 s. */
  tick(): void {
    if (!this.#isOn || this.#isSilent) return;
    this.#ticks++;
    if (this.#ticks >= unusedTicks || this.#options.isUsed()) void this.#ask();
  }

  /** Time has passed in which nothing could move: forget it, and look now. */
  afterGap(): void {
    this.#forget();
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
    this.#rest();
  }

  get #isOn(): boolean {
    return !this.#options.signal.aborted && !this.#halted;
  }

  get #isSilent(): boolean {
    return this.#pulse.silentSince !== undefined;
  }

  #rest(): void {
    this.#cancel();
    this.#options.logins.forget();
  }

  #next(ms: number): void {
    this.#cancel();
    if (!this.#isOn) return;
    const { clock } = this.#options;
    const due = clock.monotonic() + ms;
    this.#cancel = clock.after(ms, () => {
      if (clock.monotonic() - due > asleepMs) this.#forget();
      if (this.#isSilent) this.#listen();
      else void this.#ask();
    });
  }

  /** The agent first; whatever else moves counts only when it is silent. */
  async #ask(): Promise<void> {
    if (this.#open.has('agent')) return;
    this.#open.add('agent');
    this.#ticks = 0;
    const { clock } = this.#options;
    const asked = clock.monotonic();
    this.#pulse = observe(this.#pulse, this.#signs, asked);
    const answered = await this.#askAgent();
    this.#open.delete('agent');
    if (!this.#isOn) return;
    const slept = clock.monotonic() - asked > answerMs + asleepMs;
    const begins = !answered && !slept && !this.#isSilent;
    if (answered || slept) this.#forget();
    else this.#pulse = unanswered(this.#pulse, asked);
    this.#feel();
    if (answered) this.#rest();
    else if (begins) this.#next(0);
  }

  /** The agent is silent: asks for every sign of life; sshd, whom it costs a process, when no other came. */
  #listen(): void {
    const { clock, logins, greets, diskOperations } = this.#options;
    this.#feel();
    void this.#ask();
    void this.#seek('disk', diskOperations, (count) => (this.#disk = count));
    if (clock.monotonic() - (this.#pulse.quietSince ?? 0) >= answerMs)
      void this.#seek('sshd', greets, (greeted) => (this.#greetings += greeted ? 1 : 0));
    logins.want();
    this.#next(silentMs);
  }

  /** What moved since it was felt last, and what that means. */
  #feel(): void {
    if (!this.#isOn) return;
    const { clock, onHealth } = this.#options;
    const now = clock.monotonic();
    this.#pulse = observe(this.#pulse, this.#signs, now);
    onHealth(healthOf(this.#pulse, now));
  }

  /** Nothing is held against the guest any more. */
  #forget(): void {
    this.#disk = undefined;
    this.#pulse = freshLiveness(this.#signs);
  }

  get #signs(): Signs {
    const { logins, consoleBytes, doorBytes } = this.#options;
    return {
      agent: this.#agentAnswers,
      sshd: this.#greetings,
      login: logins.answers,
      console: consoleBytes(),
      disk: this.#disk,
      door: doorBytes(),
    };
  }

  /** One question that answers two: does the agent live, and what does its clock say? */
  async #askAgent(): Promise<boolean> {
    const { agent, clock, signal, log } = this.#options;
    try {
      const asked = clock.now();
      const guestMs = await agent.time(signal);
      this.#agentAnswers++;
      await this.#correct(guestMs - (asked + clock.now()) / 2);
      return true;
    } catch (error) {
      if (!signal.aborted) log('debug', 'agent-silent', { why: failureOf(error).message });
      return false;
    }
  }

  async #correct(offsetMs: number): Promise<void> {
    if (Math.abs(offsetMs) <= clockToleranceMs) return;
    const { agent, signal, log, onClock } = this.#options;
    try {
      await agent.setTime(undefined, signal);
      log('info', 'clock-set', { wasOffMs: Math.round(offsetMs) });
      onClock(0);
    } catch (error) {
      if (!signal.aborted) log('warn', 'clock-not-set', { failure: failureOf(error) });
    }
  }

  /** Asks for a sign unless it is being asked for. What fails or takes too long is none: what was known stands. */
  async #seek<T>(
    sign: keyof Signs,
    ask: (signal: AbortSignal) => Promise<T>,
    take: (answer: T) => void,
  ): Promise<void> {
    if (this.#open.has(sign)) return;
    this.#open.add(sign);
    const { clock, signal } = this.#options;
    try {
      const answer = await within(ask, { clock, timeoutMs: answerMs, signal, late: () => mute });
      if (this.#isSilent) take(answer);
      this.#feel();
    } catch {
      // A VM program that hangs, or an sshd that does.
    }
    this.#open.delete(sign);
  }
}

const mute: Failure = { kind: 'vm-mute', message: '', hint: '', exit: Exit.temporary };
