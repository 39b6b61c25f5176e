/** One start and all that belongs to it. Ending it cancels its waits and drops its late news at the door. */
import type { Socket } from 'node:net';
import { startReasons } from './lifecycle/own-reasons.ts';
import { applyNow } from '../config/config-changes.ts';
import type { Config } from '../config/config.ts';
import type { Layout } from '../config/layout.ts';
import type { Clock } from '../system/time/clock.ts';
import type { Log } from '../system/log.ts';
import type { VmChoice } from '../vm/choose-vm.ts';
import type { GuestKeys } from './start/builder-keys.ts';
import { tickChildren, type Running } from './running.ts';
import { hasRoom, room } from './disk/disk-room.ts';
import { GuestWatch } from './health/guest-watch.ts';
import { keepAsGood } from './start/image-choice.ts';
import { StartFacts } from './start/start-facts.ts';
import type { Event } from './lifecycle/state.ts';
import { BootRecord } from './status/boot-record.ts';
import type { BootStep } from './status/boots.ts';

/** What a start is made with, and what it goes by. */
export interface ScopeOptions {
  readonly layout: Layout;
  readonly clock: Clock;
  readonly log: Log;
  /** What this start is made with. */
  readonly config: Config;
  /** The program that runs its guest. */
  readonly choice: VmChoice;
  /** When this start began, wall time in ms; absent where boots.jsonl is not to have it. */
  readonly begunAt?: number;
}

/** To whom a start speaks while it is the current one. */
export interface ScopeNews {
  /** Something happened in this start. */
  readonly onEvent: (event: Event) => void;
  /** The facts changed. */
  readonly onChange: () => void;
}

/** What is acquired for a start hangs on it, until the start has ended and nothing of it lives. */
export class Scope {
  readonly #controller = new AbortController();
  readonly #options: ScopeOptions;
  readonly #news: ScopeNews;
  #config: Config;
  readonly facts: StartFacts;
  readonly running: Running;
  readonly guest: GuestWatch;
  #record: BootRecord | undefined;
  /** Settles when this start acquires nothing more. */
  launched: Promise<void> = Promise.resolve();

  constructor(options: ScopeOptions, news: ScopeNews) {
    const { config, choice } = options;
    this.#options = options;
    this.#news = news;
    this.#config = config;
    const onChange = () => {
      if (!this.signal.aborted) news.onChange();
    };
    const onStep = (step: BootStep) => {
      if (!this.signal.aborted) this.#record?.step(step);
    };
    this.facts = new StartFacts({ ...options, onChange, onStep });
    this.running = { tried: { driver: choice.driver } };
    const { signal, facts, running, tell } = this;
    const { row } = choice.driver;
    this.guest = new GuestWatch({ ...options, signal, facts, running, row, tell });
    facts.noteChoice(choice);
    facts.reject(choice.rejected);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Its guest boots: it is recorded from here on, with what it has come to so far. Of one that goes on from its file boots.jsonl has nothing. */
  recordBoot(): void {
    const { layout, begunAt } = this.#options;
    if (this.signal.aborted || begunAt === undefined) return;
    this.#record = new BootRecord(layout.boots, begunAt);
    for (const step of this.facts.all.timeline ?? []) this.#record.step(step);
  }

  /** The connection by which its guest was found awake; once. */
  takeGreeted(): Socket | undefined {
    const { greeted } = this.running;
    delete this.running.greeted;
    return greeted;
  }

  /** What this start was made with, and what has been changed since that counts without another. */
  get config(): Config {
    return this.#config;
  }

  /** The settings are others now: those that need no start count here too. */
  adopt(config: Config): void {
    this.#config = applyNow(this.#config, config);
  }

  end(): void {
    this.#controller.abort(new Error('this start is over'));
    this.takeGreeted()?.destroy();
  }

  /** Late news of a start that was ended is nobody's. */
  readonly tell = (event: Event): void => {
    if (!this.signal.aborted) this.#news.onEvent(event);
  };

  /** The machine, or this daemon, was asleep for so long. */
  woke(sleptMs: number): void {
    this.facts.note({ sleptMs });
    this.guest.afterSleep();
  }

  /** A moment's work every 5 s: reads what was written, looks after the guest, and shuts it down before its writes would fail. */
  tick(namesToo: boolean): void {
    const { tried, vm } = this.running;
    tickChildren(this.running, namesToo);
    this.guest.tick(this.#config);
    if (vm === undefined || tried.driver.row.pausesOnFullDisk) return;
    if (!hasRoom(this.#options.layout.root, room.stop))
      this.tell({ type: 'restart', why: startReasons.noSpace });
  }

  /** Tells its guest of keys that are others now; whether it has them. */
  async tellKeys(keys: Pick<GuestKeys, 'tell'>): Promise<boolean> {
    const told = this.running.guest;
    const { signal, guest } = this;
    return told === undefined || keys.tell({ agent: guest.agent, told, signal });
  }

  /** It got ready: what it boots is good. */
  async keepImage(): Promise<void> {
    const { image } = this.running.tried;
    const { layout, clock, log } = this.#options;
    if (image !== undefined) await keepAsGood(image, { layout, clock, signal: this.signal }, log);
  }
}
