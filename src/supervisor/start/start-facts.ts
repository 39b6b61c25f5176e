/** What is known of one start: facts that come and go, and what was seen when. */
import { plainly, type Text } from '../../system/advice.ts';
import type { Clock } from '../../system/time/clock.ts';
import type { Log } from '../../system/log.ts';
import type { VmChoice } from '../../vm/choose-vm.ts';
import type { BootStep } from '../status/boots.ts';
import type { Facts, Seen } from '../status/status-schema.ts';

interface StartFactsOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly onChange: () => void;
  readonly onStep?: (step: BootStep) => void;
}

/** Of one start, which is told with the status as long as it is the current one. */
export class StartFacts {
  readonly #options: StartFactsOptions;
  readonly #begunAt: number;
  readonly #timeline: Seen[] = [];
  #facts: Facts = {};

  constructor(options: StartFactsOptions) {
    this.#options = options;
    this.#begunAt = options.clock.monotonic();
  }

  get all(): Facts {
    return { ...this.#facts, timeline: [...this.#timeline] };
  }

  /** Adds to what is known; undefined takes away. */
  note(facts: { readonly [K in keyof Facts]: Facts[K] | undefined }): void {
    const known = Object.entries({ ...this.#facts, ...facts }).filter(
      ([, value]) => value !== undefined,
    );
    this.#facts = Object.fromEntries(known);
    this.#options.onChange();
  }

  /** Which program runs the guest. */
  noteChoice({ driver, why }: VmChoice): void {
    this.note({ vmChoice: { vm: driver.name, why } });
  }

  /** A way that does not serve here, in a sentence each; beside those that are known. */
  reject(sentences: readonly Text[]): void {
    if (sentences.length === 0) return;
    this.note({ rejected: distinct([...(this.#facts.rejected ?? []), ...sentences]) });
  }

  /** `uptimeS`: the guest's, for its stages. */
  see(name: string, uptimeS?: number): void {
    const ms = Math.round(this.#options.clock.monotonic() - this.#begunAt);
    this.#timeline.push({ name, ms, ...(uptimeS === undefined ? {} : { uptimeS }) });
    this.#options.log('info', 'seen', { name, ms, uptimeS });
    this.#options.onStep?.({ name, ms });
  }
}

/** The same verdict is heard of again and again. */
const distinct = (sentences: readonly Text[]): readonly Text[] => [
  ...new Map(sentences.map((each) => [plainly(each), each])).values(),
];
