/**
 * A VM that was paused because the host could not read or write its disk: what for is found, and it goes on when that is over. Room and
 * quotas are waited for without end; a fault of the disk that comes again at the third attempt is none that passes.
 */
import type { Layout } from '../../config/layout.ts';
import type { Clock } from '../../system/time/clock.ts';
import { Exit, failureOf, type Failure } from '../../system/failure.ts';
import type { Log } from '../../system/log.ts';
import { hasRoom, room, shortageAt, untilEnough, type Shortage } from './disk-room.ts';
import { advice, ours } from '../../system/advice.ts';

interface DiskTroubleOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly layout: Layout;
  readonly signal: AbortSignal;
  /** Lets the VM go on. Rejects where it does not listen. */
  readonly resume: () => Promise<void>;
  /** It is another cause than it looked. */
  readonly onCause: (why: Shortage) => void;
  readonly onLost: (failure: Failure) => void;
  /** As {@link shortageAt}. */
  readonly shortage?: (directory: string) => Promise<Shortage | undefined>;
}

/** Waits before the first, second and third attempt after a fault of the disk. */
const attemptsAfterMs = [2_000, 5_000, 15_000];
/** A VM that ran for so long has got over what it was paused for. */
const calmMs = 60_000;
/** Between two attempts to let a paused VM go on. */
const againMs = 5_000;

/** Of one VM, from its first pause on. */
export class DiskTrouble {
  readonly #options: DiskTroubleOptions;
  readonly #shortage: NonNullable<DiskTroubleOptions['shortage']>;
  #resumedAt = -Infinity;
  #attempts = 0;
  /** Ends what the last pause began. */
  #over = new AbortController();

  constructor(options: DiskTroubleOptions) {
    this.#options = options;
    this.#shortage = options.shortage ?? shortageAt;
  }

  /** The VM was paused for that. Lets it go on in time, or gives it up. Never rejects but with a bug. */
  async paused(why: 'disk-full' | 'io-error'): Promise<void> {
    this.#over.abort();
    this.#over = new AbortController();
    const signal = AbortSignal.any([this.#options.signal, this.#over.signal]);
    try {
      await this.#goOn(why, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** It goes on, by whoever's doing. */
  resumed(): void {
    this.#over.abort();
    this.#resumedAt = this.#options.clock.monotonic();
  }

  async #goOn(why: 'disk-full' | 'io-error', signal: AbortSignal): Promise<void> {
    const { clock, layout, onCause, onLost } = this.#options;
    const comesAgain = clock.monotonic() - this.#resumedAt < calmMs;
    if (!comesAgain) this.#attempts = 0;
    const shortage = why === 'disk-full' ? why : await this.#shortage(layout.root);
    signal.throwIfAborted();
    if (shortage === undefined) {
      const waitMs = attemptsAfterMs[this.#attempts++];
      if (waitMs === undefined) return onLost(diskFailed(layout.disk));
      await clock.sleep(waitMs, signal);
    } else {
      if (shortage !== why) onCause(shortage);
      if (comesAgain) await clock.sleep(againMs, signal);
      await untilEnough(() => this.#hasEnough(), { clock, signal });
    }
    await this.#resume(signal);
  }

  async #hasEnough(): Promise<boolean> {
    const { root } = this.#options.layout;
    return hasRoom(root, room.goOn) && (await this.#shortage(root)) === undefined;
  }

  /** A VM program that does not listen is told again. */
  async #resume(signal: AbortSignal): Promise<void> {
    const { clock, log, resume } = this.#options;
    while (!signal.aborted)
      try {
        return await resume();
      } catch (error) {
        log('warn', 'not-resumed', { failure: failureOf(error) });
        await clock.sleep(againMs, signal);
      }
  }
}

export const diskFailed = (path: string): Failure => ({
  kind: 'host-disk-failed',
  vmFault: 'none',
  message: `The host's disk is failing: ${path} cannot be read or written, even after three more attempts.`,
  hint: advice`Check what the system reports about that disk (dmesg, Disk Utility), and whether the directory still exists. Then run: ${ours('restart')}`,
  exit: Exit.ioError,
  recovery: 'give-up',
  deaf: 'dead',
});
