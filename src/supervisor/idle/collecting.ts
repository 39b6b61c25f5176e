/** One collection in a guest, until nothing of it runs there any more. Whoever wants the guest can have it end. */
import type { GuestAgent } from '../../guest/agent/agent.ts';
import { collectGarbage, stopCollecting, type Collection } from '../../guest/agent/give-back.ts';
import type { Clock } from '../../system/time/clock.ts';
import { failureOf } from '../../system/failure.ts';
import type { Log } from '../../system/log.ts';

interface CollectingOptions {
  readonly agent: Pick<GuestAgent, 'exec'>;
  readonly clock: Clock;
  readonly log: Log;
  /** Aborts when nothing more is asked of a guest. */
  readonly signal: AbortSignal;
  /** Whether that guest is still ready. */
  readonly isThere: () => boolean;
}

const againMs = 1_000;
/** Of a guest that did not say what became of its collection: so long it is told to end that. */
const unheardMs = 60_000;
/** It may have heard of the collection only after the question whether one runs. */
const surely = 2;

export class Collecting {
  readonly #options: CollectingOptions;
  #isOver = false;
  #dueAt = Infinity;
  #cancel: () => void = () => undefined;

  constructor(options: CollectingOptions) {
    this.#options = options;
  }

  /** Has it end in so many ms, or sooner where that was said before. */
  stop(inMs: number): void {
    const { clock } = this.#options;
    const dueAt = clock.monotonic() + inMs;
    if (this.#isOver || dueAt >= this.#dueAt) return;
    this.#dueAt = dueAt;
    this.#cancel();
    this.#cancel = clock.after(inMs, () => void this.#tell());
  }

  /** Again and again: it may not have begun yet, or not have heard. */
  async #tell(): Promise<void> {
    await this.#stopOnce();
    if (!this.#isOver) this.#cancel = this.#options.clock.after(againMs, () => void this.#tell());
  }

  /** As {@link collectGarbage}. */
  async run(what: Collection): ReturnType<typeof collectGarbage> {
    const { agent, log, signal } = this.#options;
    try {
      return await collectGarbage(agent, what, signal);
    } catch (error) {
      if (!signal.aborted) {
        log('warn', 'collection-unheard-of', { failure: failureOf(error) });
        await this.#endUnheard().catch(() => undefined);
      }
      throw error;
    } finally {
      this.#isOver = true;
      this.#cancel();
    }
  }

  /** Nobody is let in to a store that may still be collected, for as long as there is hope that it can be ended. */
  async #endUnheard(): Promise<void> {
    const { clock, signal, isThere } = this.#options;
    const end = clock.monotonic() + unheardMs;
    for (let none = 0; isThere() && clock.monotonic() < end;) {
      none = (await this.#stopOnce()) === 'none' ? none + 1 : 0;
      if (none === surely) return;
      await clock.sleep(againMs, signal);
    }
  }

  async #stopOnce(): Promise<'told' | 'none' | undefined> {
    const { agent, log, signal } = this.#options;
    try {
      return await stopCollecting(agent, signal);
    } catch (error) {
      log('debug', 'collection-not-told', { failure: failureOf(error) });
      return undefined;
    }
  }
}
