/** What a boot has shown so far: lines of the console become stages, and news of what goes wrong. */
import type { Layout } from '../../config/layout.ts';
import { guestPanicked } from '../../domain/guest-panicked.ts';
import type { VmProgram } from '../../domain/vm-programs.ts';
import type { GuestAgent } from '../../guest/agent/agent.ts';
import { failureOfStage, readLine, stages, type Milestone } from '../../guest/console/boot.ts';
import { complaintIn, restartedIn, type Complaint } from '../../guest/console/complaints.ts';
import { AwakeClock } from '../../system/time/awake.ts';
import type { Clock } from '../../system/time/clock.ts';
import type { Failure } from '../../system/failure.ts';
import type { Log } from '../../system/log.ts';
import { guestReadOnly, guestRebooted } from './child-failures.ts';
import { untilBooted, type Booting, type GoodProbe } from './until-booted.ts';

interface BootWatchOptions {
  readonly layout: Layout;
  readonly clock: Clock;
  readonly log: Log;
  readonly agent: GuestAgent;
  /** The program that runs it: whether a guest that reboots does so inside its VM process. */
  readonly row: Pick<VmProgram, 'rebootsInPlace'>;
  /** The console's last lines, for failures. */
  readonly lastLines: () => readonly string[];
}

/** What a line of the console means. */
export type BootNews =
  | { readonly type: 'stage'; readonly name: string; readonly uptimeS: number }
  /** The kernel says that something is wrong; also long after the boot. */
  | { readonly type: 'complaint'; readonly what: Complaint; readonly text: string }
  | { readonly type: 'lost'; readonly failure: Failure }
  /** That a guest which was ready has ended, in a line that anybody in it can have written: with what it would mean. */
  | { readonly type: 'claim'; readonly news: readonly BootNews[] };

/** Ours has ten, those at its end among them. */
const mostStages = 50;
/** Within this a line was read, and the guest that it is about was asked. */
const oldEnoughS = 60;

/** Of one boot. */
export class BootWatch {
  readonly #options: BootWatchOptions;
  readonly #seen = new Set<string>();
  #isReady = false;
  #uptimeS = 0;
  #readyAt = 0;
  readonly #listens = new AbortController();
  /** The time that the boot is given: it stands still while the guest checks its disk. */
  readonly #bootClock: AwakeClock;

  constructor(options: BootWatchOptions) {
    this.#options = options;
    this.#bootClock = new AwakeClock(options.clock);
  }

  has(stage: string): boolean {
    return this.#seen.has(stage);
  }

  /**
   * The least uptime, in s, of a guest that is still the one which got ready: what it had then and half of the time since, as its clock may
   * be slow. One that booted anew has that soon as well, so that it is not enough to be as old as a guest that has just got ready.
   */
  get leastUptimeS(): number {
    const sinceS = (this.#options.clock.monotonic() - this.#readyAt) / 1000;
    return Math.max(this.#uptimeS, Math.min(oldEnoughS, this.#uptimeS + sinceS / 2));
  }

  /** It goes on from a file: it has booted, and says nothing of that again. */
  resumed(): void {
    for (const stage of stages) this.#seen.add(stage);
    this.#noteReady();
  }

  #noteReady(): void {
    this.#isReady = true;
    this.#readyAt = this.#options.clock.monotonic();
  }

  /** Takes the console's next line; what it means, where it means something. */
  read(text: string): readonly BootNews[] {
    const news = this.#read(text);
    const isEnd = news.some(({ type }) => type === 'lost');
    return isEnd && this.#isReady ? [{ type: 'claim', news }] : news;
  }

  #read(text: string): readonly BootNews[] {
    const milestone = readLine(text);
    if (milestone !== undefined) return this.#note(milestone);
    const complaint = complaintIn(text);
    if (complaint === undefined) return [];
    const news = { type: 'complaint', ...complaint } as const;
    if (complaint.what !== 'read-only') return [news];
    return [news, ...lost(guestReadOnly(complaint.text, this.#options.lastLines()))];
  }

  #note(milestone: Milestone): readonly BootNews[] {
    const { log, lastLines } = this.#options;
    switch (milestone.type) {
      case 'stage':
        return this.#enter(milestone);
      case 'note': {
        const { name, uptimeS } = milestone;
        if (name === 'disk-check') this.#bootClock.pause();
        log('info', 'guest-notes', { name, uptimeS });
        const text = restartedIn(name);
        return text === undefined ? [] : [{ type: 'complaint', what: 'restarted', text }];
      }
      case 'failed':
        // It gives up while it boots or not at all. Later it is only a line that somebody with root in the guest has written.
        if (!this.#isReady) return lost(failureOfStage(milestone, lastLines()));
        log('info', 'guest-notes', { name: milestone.name, uptimeS: milestone.uptimeS });
        return [];
      case 'panic':
        return lost(guestPanicked(milestone.text, lastLines()));
      case 'kernel':
        return [];
    }
  }

  #enter(stage: Extract<Milestone, { type: 'stage' }>): readonly BootNews[] {
    const { lastLines, row } = this.#options;
    const { name } = stage;
    if (name === stages[0] && this.#seen.has(name) && row.rebootsInPlace)
      return lost(guestRebooted(lastLines()));
    // A guest boots once, in some stages: who says more of them would fill the record of the start.
    if (this.#seen.has(name) || this.#seen.size === mostStages) return [];
    this.#seen.add(name);
    if (!this.#isReady) this.#uptimeS = stage.uptimeS;
    this.#bootClock.resume();
    if (name === 'sshd') this.#listens.abort();
    return [stage];
  }

  /** Resolves when the guest is ready. Rejects with `boot-timed-out`, or when signal aborts. */
  async ready(machine: Booting, signal: AbortSignal): Promise<GoodProbe> {
    const boot = {
      clock: this.#bootClock,
      listens: this.#listens.signal,
      missing: () => stages.find((stage) => !this.#seen.has(stage)),
    };
    const probe = await untilBooted({ ...this.#options, boot, machine }, signal);
    this.#noteReady();
    return probe;
  }
}

const lost = (failure: Failure): readonly BootNews[] => [{ type: 'lost', failure }];
