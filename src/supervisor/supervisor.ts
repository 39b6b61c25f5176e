/** The loop: event in, step, state out, effects performed. Decisions are in lifecycle.ts, deeds in start.ts and stop.ts. */
import type { Config } from '../config/config.ts';
import type { Layout } from '../config/layout.ts';
import type { Problem } from '../config/problem.ts';
import { openDoor, type Door } from '../door/door.ts';
import type { Ended } from '../system/child.ts';
import type { Clock } from '../system/clock.ts';
import { Failed, failureOf } from '../system/failure.ts';
import type { Log } from '../system/log.ts';
import type { Identity } from '../system/process.ts';
import type { VmDriver } from '../vm/driver.ts';
import type { Policy } from './backoff.ts';
import { configInvalid, vmExited } from './failure.ts';
import { initial, step } from './lifecycle.ts';
import type { Effect, Event, State } from './state.ts';
import { Scope } from './scope.ts';
import { pidFiles, start } from './start.ts';
import { sentenceOf, statusOf, writeStatus, type Status } from './status.ts';
import { stop } from './stop.ts';

export interface SupervisorOptions {
  readonly layout: Layout;
  readonly driver: VmDriver;
  readonly clock: Clock;
  readonly log: Log;
  readonly policy: Policy;
  readonly daemon: Identity;
  /** Called with each new state's record, after it was written. */
  readonly onStatus?: (status: Status) => void;
}

/** What was read from config.json: a Config, or nothing yet and the reasons. */
export interface Settings {
  readonly config: Config | undefined;
  readonly problems: readonly Problem[];
}

export class Supervisor {
  readonly #options: SupervisorOptions;
  #settings: Settings;
  #state: State;
  #door: Door | undefined;
  #scope: Scope | undefined;
  #cancelRetry: () => void = () => undefined;
  #hurry = new AbortController();
  #draining = false;
  #leave: () => void = () => undefined;
  /** Resolves when nothing more will happen. */
  readonly left: Promise<void>;

  constructor(options: SupervisorOptions, settings: Settings) {
    this.#options = options;
    this.#settings = settings;
    this.#state = initial(options.clock.now());
    this.left = new Promise((resolve) => (this.#leave = resolve));
  }

  get state(): State {
    return this.#state;
  }

  /** Something happened or was asked: decides, tells, acts. */
  dispatch(event: Event): void {
    const { clock, log, policy } = this.#options;
    const before = this.#state;
    const { state, effects } = step(before, event, clock.now(), policy);
    this.#state = state;
    if (state.phase !== before.phase) {
      this.#cancelRetry();
      log('info', 'phase', {
        phase: state.phase,
        was: before.phase,
        on: event.type,
        ...reasonIn(event),
      });
    }
    if (state !== before) this.#publish();
    for (const effect of effects) this.#perform(effect);
  }

  /** Ends without waiting for the guest any longer. */
  hurry(): void {
    this.#hurry.abort(new Error('there is no time for an orderly end'));
  }

  /** config.json was read again. What is wrong is told; what is right counts from the next start on. */
  settle(settings: Settings): void {
    const { config, problems } = settings;
    this.#settings = { config: config ?? this.#settings.config, problems };
    this.#options.log(problems.length > 0 ? 'warn' : 'info', 'config-read', { problems });
    if (config !== undefined && this.#state.phase === 'failed')
      this.dispatch({ type: 'restart', why: 'the configuration changed' });
    else this.#publish();
  }

  /** Lets no new connection in; those that are through go on. Returns how many those are. */
  drain(): number {
    this.#draining = true;
    this.#door?.hold('draining');
    return this.doorCounts().open;
  }

  undrain(): void {
    this.#draining = false;
    if (this.#state.phase === 'ready') this.#releaseDoor();
  }

  /** Connections at the front door now: held, on their way, through. */
  doorCounts(): { readonly held: number; readonly opening: number; readonly open: number } {
    return this.#door?.counts() ?? { held: 0, opening: 0, open: 0 };
  }

  #perform(effect: Effect): void {
    switch (effect.type) {
      case 'launch':
        return this.#launch();
      case 'end-children':
        return void this.#endChildren();
      case 'retry-after':
        this.#cancelRetry = this.#options.clock.after(effect.ms, () =>
          this.dispatch({ type: 'retry-due' }),
        );
        return;
      case 'release-door':
        return this.#releaseDoor();
      case 'hold-door':
        return this.#door?.hold('the guest is paused');
      case 'refuse-door':
        return this.#door?.refuse(sentenceOf(this.#state));
      case 'leave':
        return void this.#close();
    }
  }

  #launch(): void {
    const scope = new Scope(this.#options, {
      onChange: () => this.#publish(),
      onStage: (name) => this.dispatch({ type: 'stage', name }),
      onLost: (failure) => this.dispatch({ type: 'lost', failure }),
    });
    this.#scope = scope;
    scope.launched = this.#run(scope).catch((thrown: unknown) => {
      if (!scope.signal.aborted) this.dispatch({ type: 'lost', failure: failureOf(thrown) });
    });
  }

  async #run(scope: Scope): Promise<void> {
    const { config, problems } = this.#settings;
    if (config === undefined) throw new Failed(configInvalid(problems));
    await this.#openDoor(config);
    this.#door?.hold('the guest starts');
    const context = {
      ...this.#options,
      config,
      onLine: scope.onLine,
      onStep: scope.onStep,
      onAccelerator: scope.onAccelerator,
      onVmEnded: (ended: Ended) => this.#onVmEnded(scope, ended),
    };
    await start(context, scope.running, scope.signal);
    scope.note({ vmPid: scope.running.vm?.pid, tunnelPort: scope.running.machine?.tunnel.port });
    this.dispatch({ type: 'vm-launched' });
    await scope.untilReady();
    this.dispatch({ type: 'guest-ready' });
  }

  /** The door stays open from the first start on; only another port opens another. */
  async #openDoor({ port, holdSeconds }: Config): Promise<void> {
    if (this.#door?.port === port) return;
    await this.#door?.close();
    const { clock, log } = this.#options;
    this.#door = await openDoor({ port, holdMs: holdSeconds * 1000, clock, log });
    log('info', 'door-open', { port: this.#door.port });
  }

  #releaseDoor(): void {
    const tunnel = this.#scope?.running.machine?.tunnel;
    if (tunnel !== undefined && !this.#draining) this.#door?.release(tunnel);
  }

  #onVmEnded(scope: Scope, ended: Ended): void {
    if (scope.signal.aborted) return;
    // The console's last lines may hold the true reason; the first reason wins.
    scope.running.console?.poke();
    const { machine, output } = scope.running;
    const lines = output?.last() ?? [];
    const failure = vmExited(this.#options.driver.name, ended, machine?.reason(), lines);
    this.dispatch({ type: 'lost', failure });
  }

  async #endChildren(): Promise<void> {
    const { layout, driver, clock, log } = this.#options;
    const scope = this.#scope;
    this.#door?.hold('the guest is away');
    if (scope !== undefined) {
      scope.end();
      await scope.launched;
      const pid = pidFiles(layout, driver.name);
      const agentListens = scope.watch.has('agent');
      try {
        await stop(scope.running, {
          layout,
          pid,
          clock,
          log,
          agentListens,
          now: this.#hurry.signal,
        });
      } catch (error) {
        log('error', 'stop-failed', { failure: failureOf(error) });
      }
    }
    this.#scope = undefined;
    this.dispatch({ type: 'children-gone' });
  }

  async #close(): Promise<void> {
    await this.#door?.close();
    this.#leave();
  }

  #publish(): void {
    const { layout, daemon, onStatus, log } = this.#options;
    const door = this.#door === undefined ? undefined : { port: this.#door.port };
    const status = statusOf({
      state: this.#state,
      facts: this.#scope?.facts ?? {},
      daemon,
      door,
      ...this.#settings,
    });
    try {
      writeStatus(layout, status);
    } catch (error) {
      log('error', 'status-not-written', { failure: failureOf(error) });
    }
    onStatus?.(status);
  }
}

const reasonIn = (event: Event) =>
  event.type === 'lost'
    ? { failure: event.failure }
    : event.type === 'restart'
      ? { why: event.why }
      : {};
