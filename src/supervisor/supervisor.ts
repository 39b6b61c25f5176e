/** The loop: event in, step, state out, effects performed. Decisions are in lifecycle.ts, deeds in start.ts and stop.ts. */
import { doorReasons, startReasons } from './lifecycle/own-reasons.ts';
import type { Inside } from '../guest/agent/inside.ts';
import { plainly } from '../system/advice.ts';
import type { Failure } from '../system/failure.ts';
import type { Verdicts } from '../domain/verdicts.ts';
import { directoryLost } from './health/child-failures.ts';
import type { Answers } from './daemon/control-protocol.ts';
import { DoorControl, type KeepOut } from './daemon/door-control.ts';
import { decide } from './start/lessons.ts';
import { Starts } from './start/starts.ts';
import { initial } from './lifecycle/lifecycle.ts';
import { isResting } from './lifecycle/resting.ts';
import { OnDemand } from './idle/on-demand.ts';
import { traitsOf } from './lifecycle/phases.ts';
import { phaseChange, type Effect, type Event, type State } from './lifecycle/state.ts';
import type { SettingsRead } from '../config/read-settings.ts';
import type { Scope } from './scope.ts';
import { sentenceOf } from './lifecycle/sentences.ts';
import type { Status } from './status/status-schema.ts';
import { failureIn, statusOf } from './status/status-of.ts';
import { StatusRecord } from './status/status-record.ts';
import type { SupervisorOptions } from './supervisor-options.ts';
import { wayIntoGuest } from './daemon/way-in.ts';

/** One for a daemon's life. It owns the state, the door, and the start that there is. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  #settings: SettingsRead;
  #state: State;
  readonly doorControl: DoorControl;
  #cancelRetry: () => void = () => undefined;
  #force = new AbortController();
  readonly #starts: Starts;
  readonly #record: StatusRecord;
  readonly onDemand: OnDemand;
  #leave: (why: Failure | undefined) => void = () => undefined;
  #isLeaving = false;
  /** Resolves when nothing more will happen, with the reason where nobody asked for it. */
  readonly left: Promise<Failure | undefined>;

  constructor(options: SupervisorOptions, settings: SettingsRead) {
    this.#options = options;
    this.#settings = settings;
    this.#state = initial(options.clock.now());
    this.onDemand = new OnDemand({
      ...options,
      doorControl: () => this.doorControl,
      scope: () => this.#starts.scope,
      state: () => this.#state,
      config: () => this.#settings.config,
      onDoor: () => this.#record.writeSoon(),
      dispatch: (event) => this.dispatch(event),
    });
    this.doorControl = new DoorControl(options, this.onDemand);
    this.#starts = new Starts({
      ...options,
      doorControl: this.doorControl,
      suspending: this.onDemand.suspending,
      now: this.#force.signal,
      dispatch: (event) => this.dispatch(event),
      onChange: () => this.#record.writeSoon(),
    });
    this.#record = new StatusRecord(options, () => this.status());
    this.left = new Promise((resolve) => (this.#leave = resolve));
  }

  /** What is held against what. */
  get verdicts(): Verdicts {
    return this.#starts.verdicts;
  }

  /** Something happened or was asked: decides, tells, acts. */
  dispatch(news: Event): void {
    // What comes while the door closes would begin what nobody ends.
    if (this.#isLeaving) return;
    const before = this.#state;
    const { scope, verdicts } = this.#starts;
    const isOutdated = this.#starts.hadOther(this.#settings);
    const from = { ...this.#options, scope, verdicts, isOutdated };
    const { event, state, effects } = decide(before, news, from);
    const { phase } = (this.#state = state);
    if (phase !== before.phase) {
      this.#cancelRetry();
      this.#options.log('info', 'phase', phaseChange(before.phase, phase, event));
      this.onDemand.notePhase(phase);
    }
    if (state !== before) this.#record.write();
    for (const effect of effects) this.#perform(effect);
    this.onDemand.noteStep(before, event);
  }

  /** Ends without waiting for the guest any longer. */
  forceStop(): void {
    this.#force.abort(new Error('there is no time for a clean shutdown'));
  }

  /**
   * config.json was read again. What is wrong is told; what is right counts at once, or from the next start of the guest on. `asked`: why
   * somebody wants that now.
   */
  settle(settings: SettingsRead, asked?: string): void {
    const { config, problems } = settings;
    this.#settings = { config: config ?? this.#settings.config, problems };
    this.#options.log(problems.length > 0 ? 'warn' : 'info', 'config-read', { problems });
    for (const each of [this.#starts.scope, this.doorControl, this.onDemand.suspending])
      if (config) each?.adopt(config);
    const { heedsConfig, builds } = traitsOf(this.#state.phase);
    if (asked !== undefined || (config !== undefined && heedsConfig && !isResting(this.#state)))
      this.dispatch({ type: 'restart', why: asked ?? startReasons.settings });
    if (builds === 'on-demand') void this.onDemand.awaitClients();
    this.#record.write();
  }

  /** Lets no new connection in, or lets them in again. Those that are through go on. */
  drain(isWanted: boolean, how: KeepOut = 'hold'): void {
    this.doorControl.drain(isWanted, how);
    this.onDemand.heed();
    this.#record.write();
    // Whoever asked may read it as soon as there is an answer.
    this.#record.finish();
  }

  /** As {@link OnDemand.suspend}. */
  suspend(isForced = false): Promise<Answers['suspend']> {
    return this.onDemand.suspend(isForced);
  }

  /** The machine, or this process, was asleep for so long. */
  woke(sleptMs: number): void {
    this.#options.log('info', 'woke', { sleptMs: Math.round(sleptMs) });
    this.#starts.scope?.woke(Math.round(sleptMs));
    this.onDemand.slept(sleptMs);
  }

  /** A moment's work, every 5 s: looks whether we are still at home, and after the guest. `namesToo`: files of ours may be gone. */
  tick(namesToo = true): void {
    if (!this.#options.isOurs()) return this.#evict();
    this.#starts.scope?.tick(namesToo);
    this.onDemand.tick();
    void this.tellKeys();
    this.#record.keep(namesToo);
  }

  /** Without the directory that we have locked, another daemon may begin beside us. */
  #evict(): void {
    this.dispatch({ type: 'evicted', failure: directoryLost(this.#options.layout.root) });
  }

  /** What a look into the guest shows now; undefined unless it is ready and answers. */
  async lookInside(): Promise<Inside | undefined> {
    return this.#readyScope?.guest.lookInside(this.doorControl.traffic);
  }

  /** Tells a guest that is ready of keys that are others now; whether it has them. Every other gets them with its start. */
  tellKeys = async () => (await this.#readyScope?.tellKeys(this.#starts.keys)) ?? true;

  /** The start whose guest can be asked. */
  get #readyScope(): Scope | undefined {
    return traitsOf(this.#state.phase).builds === 'now' ? this.#starts.scope : undefined;
  }

  #perform(effect: Effect): void {
    switch (effect.type) {
      case 'launch':
        return this.#launch(effect.afresh);
      case 'end-children':
        return void this.#endChildren();
      case 'reject':
        return this.verdicts.keep(effect.verdict);
      case 'retry-after': {
        const onDue = () => this.dispatch({ type: 'retry-due' });
        return void (this.#cancelRetry = this.#options.clock.after(effect.ms, onDue));
      }
      case 'release-door':
        return this.#starts.scope && this.doorControl.release(wayIntoGuest(this.#starts.scope));
      case 'await-clients':
        return void this.onDemand.awaitClients();
      case 'hold-door':
        return this.doorControl.hold(doorReasons.paused);
      case 'refuse-door':
        this.#starts.removeFiles();
        return this.doorControl.refuse(plainly(sentenceOf(this.#state)));
      case 'leave':
        return void this.#close(effect.why);
      default:
        return this.onDemand.suspending.perform(effect);
    }
  }

  #launch(afresh: boolean): void {
    if (!this.#options.isOurs()) return this.#evict();
    this.#starts.begin({ ...this.#settings, begunAt: this.#state.since }, afresh);
  }

  async #endChildren(): Promise<void> {
    this.doorControl.hold(doorReasons.away);
    await this.onDemand.suspending.settle(this.#force.signal);
    await this.#starts.end(() => failureIn(this.#state));
    this.dispatch({ type: 'children-gone' });
  }

  async #close(why: Failure | undefined): Promise<void> {
    this.#isLeaving = true;
    await this.doorControl.close();
    this.#starts.removeFiles();
    this.#record.finish();
    this.#leave(why);
  }

  /** What is true now. */
  status(): Status {
    return statusOf({
      state: this.#state,
      facts: this.#starts.scope?.facts.all ?? {},
      runs: this.#starts.scope?.config,
      ...this.#options,
      ...this.#settings,
      door: this.doorControl.told,
      suspendGivenUp: this.onDemand.suspending.givenUp,
    });
  }
}
