/** One start and all that belongs to it. Ending it cancels its waits and drops its late news at the door. */
import { applyNow } from '../config/changes.ts';
import type { Config } from '../config/config.ts';
import type { Layout } from '../config/layout.ts';
import { greets } from '../door/guest-connection.ts';
import type { ConsoleLine } from '../guest/console.ts';
import type { Complaint } from '../guest/complaints.ts';
import { GuestAgent } from '../guest/agent.ts';
import { probeGuest } from '../guest/probe.ts';
import { Insight, type Inside } from '../guest/inside.ts';
import { AwakeClock } from '../system/awake.ts';
import type { Clock } from '../system/clock.ts';
import type { Failure } from '../system/failure.ts';
import type { Log } from '../system/log.ts';
import type { Choice } from '../vm/accelerator.ts';
import { GuestSystems } from './guest-systems.ts';
import { BootWatch } from './boot-watch.ts';
import { hasRoom, room } from './disk-room.ts';
import { guestFrozen } from './failure.ts';
import { Logins, loginTimeoutMs } from './login.ts';
import { Standstill } from './standstill.ts';
import type { Event } from './state.ts';
import { Vigil } from './vigil.ts';
import type { Health } from './vital-signs.ts';
import { imageFacts, keepAsGood, type ChosenImage } from './images.ts';
import { tickChildren, type Running } from './children.ts';
import { StartFacts } from './start-facts.ts';
import type { Facts } from './status.ts';

export interface ScopeNews {
  /** Something happened in this start. */
  readonly onEvent: (event: Event) => void;
  /** The facts changed. */
  readonly onChange: () => void;
}

export class Scope {
  readonly #controller = new AbortController();
  readonly #news: ScopeNews;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #facts: StartFacts;
  readonly running: Running = {};
  readonly watch: BootWatch;
  /** One a boot: its channel serves one client at a time. */
  readonly agent: GuestAgent;
  readonly standstill: Standstill;
  readonly #insight: Insight;
  readonly #systems = new GuestSystems((lostSystems) => this.note({ lostSystems }));
  /** Time in which the guest could have done something. */
  readonly #awake: AwakeClock;
  readonly #layout: Layout;
  #vigil: Vigil | undefined;
  /** What this start was made with. */
  config: Config | undefined;
  /** Settles when this start acquires nothing more. */
  launched: Promise<void> = Promise.resolve();

  constructor({ layout, clock, log }: { layout: Layout; clock: Clock; log: Log }, news: ScopeNews) {
    this.#news = news;
    this.#clock = clock;
    this.#log = log;
    const onChange = () => {
      if (!this.signal.aborted) news.onChange();
    };
    this.#facts = new StartFacts({ clock, log, onChange });
    this.#layout = layout;
    this.#awake = new AwakeClock(clock);
    this.agent = new GuestAgent({ path: layout.agent, clock });
    this.#insight = new Insight(this.agent, clock);
    this.standstill = new Standstill({
      ...{ clock, log, layout, awake: this.#awake, agent: this.agent, signal: this.signal },
      machine: () => this.running.machine,
      vigil: () => this.#vigil,
      tell: (event) => {
        if (event.type === 'vm-resumed') this.#insight.forget();
        this.#tell(event);
      },
    });
    this.watch = new BootWatch({
      ...{ layout, log, agent: this.agent },
      clock: this.#awake,
      onStage: (name, uptimeS) => this.#onStage(name, uptimeS),
      onComplaint: (what, text) => this.#onComplaint(what, text),
      onLost: this.onLost,
      rebootsInPlace: () => this.running.driver?.row.rebootsInPlace === true,
      lastLines: () => this.lastLines(),
    });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get facts(): Facts {
    return this.#facts.all;
  }

  /** The console's last lines. */
  lastLines(count = 20): readonly string[] {
    return this.running.console?.last(count) ?? [];
  }

  /** The settings are others now: those that need no start count here too. */
  adopt(config: Config): void {
    if (this.config !== undefined) this.config = applyNow(this.config, config);
  }

  /** Whether its guest was ready at any time. */
  get gotReady(): boolean {
    return this.#vigil !== undefined;
  }

  end(): void {
    this.#controller.abort(new Error('this start was ended'));
  }

  /** A child ended or cannot do its work. */
  readonly onLost = (failure: Failure): void => this.#tell({ type: 'lost', failure });

  readonly onLine = (line: ConsoleLine): void => this.watch.read(line.text);

  readonly onStep = (name: string): void => this.#facts.see(name);

  readonly onResumes = (): void => {
    this.expectHalt(true);
    this.#tell({ type: 'resumes' });
  };

  readonly onUnfit = (notResumed: string): void => this.note({ notResumed });

  /** Whether it is we who halt the guest now, and have it go on. */
  expectHalt(isExpected: boolean): void {
    this.standstill.expect(isExpected);
  }

  readonly onAccelerator = (choice: Choice): void => {
    const { accelerator, rejected, tried } = choice;
    this.#log(rejected.length > 0 ? 'warn' : 'info', 'accelerator', { ...choice });
    if (tried) this.#facts.see('accelerator-tried');
    const all = [...new Set([...(this.facts.rejected ?? []), ...rejected])];
    this.note({ accelerator, rejected: all.length > 0 ? all : undefined });
  };

  readonly onImage = (chosen: ChosenImage): void => {
    const image = imageFacts(chosen);
    this.#log('info', 'image', image);
    this.note({ image });
  };

  /** Adds to what is known of this start; undefined takes away. */
  readonly note: StartFacts['note'] = (facts) => this.#facts.note(facts);

  /** A moment's work every 5 s: reads what was written, looks after the guest, and shuts it down before its writes would fail. */
  tick(): void {
    const { driver, vm, names } = this.running;
    tickChildren(this.running);
    this.#vigil?.tick();
    if (this.gotReady) void Promise.all([names?.tell(this), this.#systems.look(this)]);
    if (vm === undefined || driver === undefined || driver.row.pausesOnFullDisk) return;
    if (!hasRoom(this.#layout.root, room.stop))
      this.#tell({ type: 'restart', why: "the host's disk is nearly full" });
  }

  /** The machine, or this daemon, was asleep: looks after the guest at once. */
  afterSleep(): void {
    this.#insight.forget();
    this.#vigil?.afterGap();
  }

  /** Watches over the guest from now on. */
  keepVigil(doorBytes: () => number): void {
    const { machine, console } = this.running;
    if (machine === undefined || console === undefined) return;
    const { tunnel } = machine;
    const shared = { clock: this.#clock, log: this.#log, signal: this.signal };
    const login = { tunnel, layout: this.#layout, clock: this.#clock, timeoutMs: loginTimeoutMs };
    this.#vigil = new Vigil({
      ...{ ...shared, agent: this.agent, doorBytes },
      onHealth: (health) => this.#onHealth(health),
      greets: (signal) => greets(tunnel, { ...shared, signal }),
      logins: new Logins({
        ...shared,
        logIn: (signal) => probeGuest({ ...login, signal }),
        onLogin: (found) => this.note({ login: found }),
      }),
      consoleBytes: () => console.bytes,
      diskOperations: () => machine.diskOperations(),
      onClock: (offsetMs) => this.note({ clockOffsetMs: offsetMs }),
    });
  }

  #onHealth(health: Health): void {
    if (health === 'frozen') return this.onLost(guestFrozen(this.lastLines()));
    if (health === (this.facts.health ?? 'well')) return;
    this.#log('info', 'health', { health });
    this.note({ health });
  }

  /** What it shows; `traffic` as {@link Insight.look} takes it. */
  async lookInside(traffic: number | undefined): Promise<Inside | undefined> {
    return this.watch.has('agent') ? this.#insight.look(traffic, this.signal) : undefined;
  }

  /** It got ready: what it boots is good. */
  async keepImage(): Promise<void> {
    const { image } = this.running;
    const where = { layout: this.#layout, clock: this.#clock, signal: this.signal };
    if (image !== undefined) await keepAsGood(image, where, this.#log);
  }

  /** The last few are enough to see what goes on. */
  #onComplaint(what: Complaint, text: string): void {
    this.#log('warn', 'guest-complains', { what, text });
    const at = new Date(this.#clock.now()).toISOString();
    this.note({ complaints: [...(this.facts.complaints ?? []), { what, text, at }].slice(-5) });
  }

  #onStage(name: string, uptimeS: number): void {
    this.#facts.see(name, uptimeS);
    this.#tell({ type: 'stage', name });
  }

  /** Late news of a start that was ended is nobody's. */
  #tell(event: Event): void {
    if (!this.signal.aborted) this.#news.onEvent(event);
  }
}
