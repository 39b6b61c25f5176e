/** One start and all that belongs to it. Ending it cancels its waits and drops its late news at the door. */
import type { Layout } from '../config/layout.ts';
import type { ConsoleLine } from '../guest/console.ts';
import type { Clock } from '../system/clock.ts';
import type { Failure } from '../system/failure.ts';
import type { Log } from '../system/log.ts';
import type { Choice } from '../vm/accelerator.ts';
import { BootWatch } from './boot-watch.ts';
import type { Running } from './start.ts';
import type { Facts, Seen } from './status.ts';

export interface ScopeNews {
  readonly onStage: (name: string) => void;
  readonly onLost: (failure: Failure) => void;
  /** The facts changed. */
  readonly onChange: () => void;
}

export class Scope {
  readonly #controller = new AbortController();
  readonly #news: ScopeNews;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #begunAt: number;
  readonly #timeline: Seen[] = [];
  #facts: Facts = {};
  readonly running: Running = {};
  readonly watch: BootWatch;
  /** Settles when this start acquires nothing more. */
  launched: Promise<void> = Promise.resolve();

  constructor({ layout, clock, log }: { layout: Layout; clock: Clock; log: Log }, news: ScopeNews) {
    this.#news = news;
    this.#clock = clock;
    this.#log = log;
    this.#begunAt = clock.monotonic();
    this.watch = new BootWatch({
      ...{ layout, clock, log },
      onStage: (name, uptimeS) => this.#onStage(name, uptimeS),
      onLost: (failure) => this.#whileAlive(() => news.onLost(failure)),
      lastLines: () => this.running.console?.last(20) ?? [],
    });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get facts(): Facts {
    return { ...this.#facts, timeline: [...this.#timeline] };
  }

  end(): void {
    this.#controller.abort(new Error('this start was ended'));
  }

  readonly onLine = (line: ConsoleLine): void => this.watch.read(line.text);

  readonly onStep = (name: string): void => this.#see(name);

  readonly onAccelerator = ({ accelerator, rejected, tried }: Choice): void => {
    this.#log(rejected.length > 0 ? 'warn' : 'info', 'accelerator', {
      accelerator,
      rejected,
      tried,
    });
    if (tried) this.#see('accelerator-tried');
    this.note({ accelerator, ...(rejected.length > 0 ? { rejected } : {}) });
  };

  /** Adds to what is known of this start. */
  note(facts: { readonly [K in keyof Facts]: Facts[K] | undefined }): void {
    const known = Object.entries(facts).filter(([, value]) => value !== undefined);
    this.#facts = { ...this.#facts, ...(Object.fromEntries(known) as Facts) };
    this.#whileAlive(this.#news.onChange);
  }

  async untilReady(): Promise<void> {
    const { machine, console } = this.running;
    if (machine === undefined) throw new Error('no machine to wait for');
    const probe = await this.watch.ready(machine.tunnel, this.signal);
    console?.settle();
    this.#see('ready');
    this.note({ clockOffsetMs: Math.round(probe.clockOffsetMs) });
  }

  #onStage(name: string, uptimeS: number): void {
    this.#see(name, uptimeS);
    this.#whileAlive(() => this.#news.onStage(name));
  }

  #see(name: string, uptimeS?: number): void {
    const ms = Math.round(this.#clock.monotonic() - this.#begunAt);
    this.#timeline.push({ name, ms, ...(uptimeS === undefined ? {} : { uptimeS }) });
    this.#log('info', 'seen', { name, ms, uptimeS });
  }

  #whileAlive(tell: () => void): void {
    if (!this.signal.aborted) tell();
  }
}
