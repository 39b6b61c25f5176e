/** What a console says of a guest that was ready, and that would end it: it is asked whether that is so, since anybody in it can say it. */
import type { GuestAgent } from '../../guest/agent/agent.ts';
import { goesOn } from '../../guest/agent/goes-on.ts';
import type { Clock } from '../../system/time/clock.ts';
import type { Log } from '../../system/log.ts';
import type { BootNews } from './boot-watch.ts';

interface ClaimsOptions {
  readonly agent: Pick<GuestAgent, 'exec'>;
  readonly clock: Clock;
  readonly log: Log;
  /** Aborts when the guest is over. */
  readonly signal: AbortSignal;
  /** The least that a guest which was not booted anew has now, in s. */
  readonly uptimeS: () => number;
  readonly onTrue: (news: BootNews) => void;
}

type Claim = Extract<BootNews, { type: 'claim' }>;

/** Between two questions: whoever writes such lines may go on writing them. */
const askAgainMs = 1_000;

/** Of one guest. */
export class Claims {
  readonly #options: ClaimsOptions;
  #last: Claim | undefined;
  #isAsking = false;
  /** That which is asked about now. */
  #asked: Claim | undefined;

  constructor(options: ClaimsOptions) {
    this.#options = options;
  }

  /** One question at a time, and not for each line: whoever writes one can write thousands. */
  take(claim: Claim): void {
    this.#last = claim;
    if (!this.#isAsking) void this.#ask();
  }

  /** Its VM has ended: nobody answers any more, and what is not yet answered was so. */
  believe(): void {
    const claim = this.#last ?? this.#asked;
    this.#last = this.#asked = undefined;
    claim?.news.forEach(this.#options.onTrue);
  }

  async #ask(): Promise<void> {
    const { agent, clock, log, signal, uptimeS, onTrue } = this.#options;
    this.#isAsking = true;
    try {
      for (let claim; (claim = this.#last) !== undefined;) {
        this.#last = undefined;
        this.#asked = claim;
        const isFalse = await goesOn(agent, clock, { uptimeS, signal });
        if (this.#asked !== claim) return;
        this.#asked = undefined;
        if (!isFalse) return claim.news.forEach(onTrue);
        log('warn', 'guest-goes-on', { lines: claim.news.map(wordsOf) });
        await clock.sleep(askAgainMs, signal);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      this.#isAsking = false;
    }
  }
}

const wordsOf = (news: BootNews): string =>
  news.type === 'lost' ? news.failure.message : 'text' in news ? news.text : news.type;
