/** What is seen of the guest of one start: its console and how it boots, its health once it is ready, and its standing still. */
import type { Layout } from '../../config/layout.ts';
import type { Config } from '../../config/config.ts';
import type { VmProgram } from '../../domain/vm-programs.ts';
import { GuestAgent } from '../../guest/agent/agent.ts';
import { openConsole, type Console } from '../../guest/console/console.ts';
import { Insight, type Inside } from '../../guest/agent/inside.ts';
import { AwakeClock } from '../../system/time/awake.ts';
import type { Clock } from '../../system/time/clock.ts';
import type { Log } from '../../system/log.ts';
import { BootWatch, type BootNews } from './boot-watch.ts';
import type { Running } from '../running.ts';
import { Claims } from './claims.ts';
import { guestFrozen } from './child-failures.ts';
import { GuestSystems } from './guest-systems.ts';
import { VmPause } from '../disk/vm-pause.ts';
import type { StartFacts } from '../start/start-facts.ts';
import type { Event } from '../lifecycle/state.ts';
import type { LivenessMonitor } from './monitor.ts';
import { monitorOf } from './monitor-guest.ts';
import type { Health } from './liveness.ts';

/** The start whose guest it is. */
interface Watched {
  readonly layout: Layout;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly facts: StartFacts;
  readonly running: Running;
  /** The program that runs it. */
  readonly row: VmProgram;
  readonly tell: (event: Event) => void;
}

/** The front door, as far as it tells of the guest's life and use. */
interface WatchedDoor {
  bytesFromGuest(): number;
  /** Undefined while anybody is through it, or about to be. */
  readonly traffic: number | undefined;
}

/** Everything that is seen of one guest, from its console's first byte to its end. */
export class GuestWatch {
  readonly #start: Watched & { readonly agent: GuestAgent };
  readonly boot: BootWatch;
  readonly vmPause: VmPause;
  /** Time in which it could have done something. */
  readonly awake: AwakeClock;
  readonly #insight: Insight;
  readonly #systems: GuestSystems;
  readonly #claims: Claims;
  #console: Console | undefined;
  #monitor: LivenessMonitor | undefined;

  constructor(start: Watched) {
    const { layout, clock, facts, running } = start;
    const awake = (this.awake = new AwakeClock(clock));
    const agent = new GuestAgent({ path: layout.agent, clock });
    const shared = (this.#start = { ...start, agent });
    this.#insight = new Insight(agent, clock);
    this.#systems = new GuestSystems((lostSystems) => facts.note({ lostSystems }));
    this.vmPause = new VmPause({
      ...shared,
      awake,
      machine: () => running.vm?.machine,
      monitor: () => this.#monitor,
      tell: (event) => {
        if (event.type === 'vm-resumed') this.#insight.forget();
        start.tell(event);
      },
    });
    this.boot = new BootWatch({ ...shared, clock: awake, lastLines: () => this.lastLines() });
    this.#claims = new Claims({
      ...shared,
      clock: awake,
      uptimeS: () => this.boot.leastUptimeS,
      onTrue: (news) => this.#take(news),
    });
  }

  /** One a boot: its channel serves one client at a time. */
  get agent(): GuestAgent {
    return this.#start.agent;
  }

  /** Whether its boot has reached that stage. */
  has(stage: string): boolean {
    return this.boot.has(stage);
  }

  /** Whether it was ready at any time. */
  get gotReady(): boolean {
    return this.#monitor !== undefined;
  }

  /** Follows the console from here on; to be called before the VM program runs. */
  openConsole(): void {
    const { layout, clock, row } = this.#start;
    this.#console = openConsole({
      path: layout.consoleRing,
      logPath: layout.consoleLog,
      kind: row.console.form,
      clock,
      onLine: ({ text }) => {
        for (const news of this.boot.read(text)) this.#take(news);
      },
    });
  }

  /** The console's last lines. */
  lastLines(count = 20): readonly string[] {
    return this.#console?.last(count) ?? [];
  }

  /** What its kernel has complained of in this start, up to now. */
  get complaint(): string | undefined {
    this.#console?.poke();
    const { complaints = [] } = this.#start.facts.all;
    return complaints.find(({ what }) => what !== 'restarted')?.text;
  }

  /** Takes all that a VM wrote to the console which has ended: its last words are believed. */
  readConsole(): void {
    this.#console?.readToEnd();
    this.#claims.believe();
  }

  /** Nothing comes from the console any more. `isOurs`: the file that it was read from may be removed. */
  async closeConsole(isOurs: () => boolean): Promise<void> {
    await this.#console?.close();
    if (isOurs()) this.#console?.forget();
  }

  /** Reads what was written, looks after the guest, and shuts it down before its writes would fail. */
  tick(config: Config): void {
    const { running, signal } = this.#start;
    const { guest } = running;
    this.#console?.poke();
    this.#monitor?.tick();
    // A question that a guest cannot answer would keep those waiting that have it go on.
    if (!this.gotReady || this.vmPause.isExpected) return;
    const ready = { config, agent: this.agent, watch: this, signal };
    void Promise.all([guest?.names.tell(ready), this.#systems.look(ready)]);
  }

  /** The machine, or this daemon, was asleep: looks after the guest at once. */
  afterSleep(): void {
    this.#insight.forget();
    this.#monitor?.afterGap();
  }

  /** It is ready: the console is looked at less often. */
  settle(): void {
    this.#console?.settle();
  }

  /** Watches over the guest from now on. */
  keepMonitoring(door: WatchedDoor): void {
    const console = this.#console;
    const machine = this.#start.running.vm?.machine;
    if (machine === undefined || console === undefined) return;
    const onHealth = (health: Health) => this.#onHealth(health);
    const doorBytes = () => door.bytesFromGuest();
    const isUsed = () => door.traffic === undefined;
    this.#monitor = monitorOf({ ...this.#start, doorBytes, isUsed, machine, console, onHealth });
  }

  /** What it shows; `traffic` as {@link Insight.look} takes it. */
  async lookInside(traffic: number | undefined): Promise<Inside | undefined> {
    return this.has('agent') ? this.#insight.look(traffic, this.#start.signal) : undefined;
  }

  #onHealth(health: Health): void {
    const { facts, log, tell } = this.#start;
    if (health === 'frozen') return tell({ type: 'lost', failure: guestFrozen(this.lastLines()) });
    if (health === (facts.all.health ?? 'well')) return;
    log('info', 'health', { health });
    facts.note({ health });
  }

  #take(news: BootNews): void {
    const { facts, tell } = this.#start;
    switch (news.type) {
      case 'stage':
        facts.see(news.name, news.uptimeS);
        return tell({ type: 'stage', name: news.name });
      case 'complaint':
        return this.#noteComplaint(news);
      case 'lost':
        return tell(news);
      case 'claim':
        return this.#claims.take(news);
    }
  }

  /** The last few are enough to see what goes on. */
  #noteComplaint({ what, text }: Extract<BootNews, { type: 'complaint' }>): void {
    const { facts, log, clock } = this.#start;
    log('warn', 'guest-complains', { what, text });
    const at = new Date(clock.now()).toISOString();
    facts.note({ complaints: [...(facts.all.complaints ?? []), { what, text, at }].slice(-5) });
  }
}
