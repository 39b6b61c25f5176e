/**
 * When a guest that nobody uses may go. Used is what has logged in and what builds; our own questions are neither, and a build is
 * never interrupted: the guest itself is asked before it goes.
 */
import type { Counts } from '../../door/through.ts';
import type { Inside } from '../../guest/agent/inside.ts';
import { reading } from '../../system/time/awake.ts';
import type { Clock } from '../../system/time/clock.ts';
import type { Pressure } from './pressure.ts';
import type { Rest } from '../lifecycle/state.ts';

interface IdlenessOptions {
  readonly clock: Clock;
  /** How long it is unused before it goes, in ms; undefined: it stays. */
  readonly afterMs: () => number | undefined;
  readonly counts: () => Counts;
  /** Whether an ssh client waits at the door. */
  readonly hasWaiting: () => boolean;
  /** A fresh look into the guest; undefined where it does not answer. */
  readonly lookInside: () => Promise<Inside | undefined>;
  /** Whether somebody waits for what the guest does for him without a login: `gc`, `trim`. */
  readonly isAsked: () => boolean;
  /** What has it go sooner, where anything does. */
  readonly pressure: () => Promise<Pressure | undefined>;
  /** Nobody has used it for so long that it goes, and nobody is about to. */
  readonly onIdle: (why: Rest) => void;
}

const hourMs = 3_600_000;
/** A guest that was wanted again more often than this within an hour stays longer. */
const calmWakes = 12;
/** Nix comes and goes between two builds: so long nobody uses a guest that is to go at once. */
const soonMs = 10_000;
/** Between two questions what presses: on a Mac each costs a process. */
const pressureEveryMs = 30_000;
/** Longer than any check of `doctor`: whoever has it stand still has asked. */
const questionMs = 5 * 60_000;
/** A guest that does not say whether it builds is asked again so much later. */
const askAgainMs = 60_000;

/** So long a guest stays unused, that was wanted again so often within the last hour. */
export const pauseMs = (afterMs: number, wakes: number): number =>
  Math.max(afterMs, Math.min(hourMs, afterMs * 2 ** Math.min(20, Math.max(0, wakes - calmWakes))));

/** Counts the time in which nobody uses a guest that is ready. */
export class Idleness {
  readonly #options: IdlenessOptions;
  /** Monotonic; undefined while no guest is ready. */
  #unusedSince: number | undefined;
  /** What both clocks said at the last look. */
  #looked: ReturnType<typeof reading>;
  #questions = 0;
  #isAsking = false;
  #pressedAt = -Infinity;
  #wakes: readonly number[] = [];

  constructor(options: IdlenessOptions) {
    this.#options = options;
    this.#looked = reading(options.clock);
  }

  /** The guest is ready, or is not any more. */
  watch(isReady: boolean): void {
    if (!isReady) this.#unusedSince = undefined;
    else this.#unusedSince ??= this.#now;
  }

  /** So many have logged in, which is use where they are more than those who only ask. */
  note({ loggedIn }: Pick<Counts, 'loggedIn'>): void {
    if (loggedIn > this.#questions) this.use();
  }

  /** Until `gone` aborts, and not for ever, one of those who have logged in asks something for us, which is no use of the guest. */
  question(gone: AbortSignal): void {
    if (gone.aborted) return;
    this.#questions++;
    const end = () => {
      cancel();
      gone.removeEventListener('abort', end);
      this.#questions--;
    };
    const cancel = this.#options.clock.after(questionMs, end);
    gone.addEventListener('abort', end);
  }

  /** It is used, now. */
  use(): void {
    if (this.#unusedSince !== undefined) this.#unusedSince = this.#now;
  }

  /** It was away, or about to go, and is wanted. */
  noteWake(): void {
    this.#wakes = [...this.#recentWakes, this.#now];
  }

  /** A sleep of the host is no time in which somebody could have used it; what the wall clock alone has counted of it was never counted here. */
  slept(ms: number): void {
    if (this.#unusedSince === undefined) return;
    const { now, monotonic } = reading(this.#options.clock);
    const uncounted = now - this.#looked.now - (monotonic - this.#looked.monotonic);
    const counted = Math.max(0, ms - Math.max(0, uncounted));
    this.#unusedSince = Math.min(monotonic, this.#unusedSince + counted);
  }

  /** A look, every 5 s. */
  tick(): void {
    const { clock, afterMs, counts, isAsked } = this.#options;
    this.#looked = reading(clock);
    if (isAsked()) this.use();
    this.note(counts());
    const since = this.#unusedSince;
    if (since === undefined || this.#isAsking || this.#isAnybodyThere) return;
    this.#isAsking = true;
    void this.#judge(since, afterMs()).finally(() => (this.#isAsking = false));
  }

  async #judge(since: number, after: number | undefined): Promise<void> {
    const wakes = this.#recentWakes.length;
    const pause = after === undefined ? Infinity : pauseMs(after, wakes);
    const unused = this.#now - since;
    if (unused >= pause) return this.#ask(since, pause, { type: 'unused', forMs: pause });
    const soon = pauseMs(soonMs, wakes);
    if (unused < soon || this.#now - this.#pressedAt < pressureEveryMs) return;
    this.#pressedAt = this.#now;
    const type = await this.#options.pressure();
    if (type !== undefined) await this.#ask(since, soon, { type });
  }

  async #ask(since: number, pause: number, why: Rest): Promise<void> {
    const inside = await this.#options.lookInside();
    if (this.#unusedSince !== since) return;
    if (inside === undefined)
      this.#unusedSince = Math.max(since, this.#now - pause + Math.min(pause, askAgainMs));
    else if (inside.builds > 0) this.#unusedSince = this.#now;
    else if (!this.#isAnybodyThere) this.#options.onIdle(why);
  }

  /** Somebody comes who may log in; not a stranger, who could have and has not, or who waits without a word of ssh. */
  get #isAnybodyThere(): boolean {
    const { counts, hasWaiting, isAsked } = this.#options;
    const { opening, loggedIn, entering } = counts();
    return opening + loggedIn + entering > 0 || hasWaiting() || isAsked();
  }

  get #recentWakes(): readonly number[] {
    return this.#wakes.filter((at) => this.#now - at < hourMs);
  }

  get #now(): number {
    return this.#options.clock.monotonic();
  }
}
