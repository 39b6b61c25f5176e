/** The loop: event in, step, state out, effects performed. Decisions are in lifecycle.ts, deeds in start.ts and stop.ts. */
import type { Inside } from '../guest/inside.ts';
import { Failed, failureOf, type Failure } from '../system/failure.ts';
import type { Log } from '../system/log.ts';
import type { Identity } from '../system/process.ts';
import { vmDrivers } from '../vm/drivers.ts';
import type { Policy } from './backoff.ts';
import { endScope } from './end-scope.ts';
import { configInvalid, directoryLost } from './failure.ts';
import { BootFiles, type BootFilesOptions } from './boot-files.ts';
import { Gate } from './gate.ts';
import { judge } from './images.ts';
import { initial, step } from './lifecycle.ts';
import { traitsOf } from './phases.ts';
import { reasonIn, type Effect, type Event, type State } from './state.ts';
import type { Settings } from './read-settings.ts';
import { Scope } from './scope.ts';
import { start } from './start.ts';
import { sentenceOf } from './sentences.ts';
import { failureIn, statusOf, type Status } from './status.ts';
import { StatusRecord } from './status-record.ts';

export interface SupervisorOptions extends BootFilesOptions {
  readonly log: Log;
  readonly policy: Policy;
  readonly daemon: Identity;
  /** As {@link StatusRecord} tells it. */
  readonly onStatus?: (status: Status, trouble: Failure | undefined) => void;
}

export class Supervisor {
  readonly #options: SupervisorOptions;
  #settings: Settings;
  #state: State;
  readonly gate: Gate;
  #scope: Scope | undefined;
  #cancelRetry: () => void = () => undefined;
  #hurry = new AbortController();
  /** What was left before this daemon was judged, and all that it has started itself was seen to end. */
  #isClear = false;
  /** The last VM that was started did not get ready. */
  #isDoubtful = false;
  readonly #bootFiles: BootFiles;
  readonly #record: StatusRecord;
  #leave: (why: Failure | undefined) => void = () => undefined;
  /** Resolves when nothing more will happen, with the reason where nobody asked for it. */
  readonly left: Promise<Failure | undefined>;

  constructor(options: SupervisorOptions, settings: Settings) {
    this.#options = options;
    this.#settings = settings;
    this.#state = initial(options.clock.now());
    this.gate = new Gate(options.clock, options.log);
    this.#bootFiles = new BootFiles(options);
    this.#record = new StatusRecord(options, () => this.status());
    this.left = new Promise((resolve) => (this.#leave = resolve));
  }

  /** Something happened or was asked: decides, tells, acts. */
  dispatch(news: Event): void {
    const { clock, log, policy } = this.#options;
    const before = this.#state;
    const image = this.#scope?.running.image;
    const event = judge({ event: news, phase: before.phase, image }, this.#options);
    const { state, effects } = step(before, event, clock.now(), policy);
    this.#state = state;
    const { phase } = state;
    if (phase !== before.phase) {
      this.#cancelRetry();
      log('info', 'phase', { phase, was: before.phase, on: event.type, ...reasonIn(event) });
    }
    if (state !== before) this.#record.write();
    for (const effect of effects) this.#perform(effect);
  }

  /** Ends without waiting for the guest any longer. */
  hurry(): void {
    this.#hurry.abort(new Error('there is no time for an orderly end'));
  }

  /** config.json was read again. What is wrong is told; what is right counts at once, or from the next start of the guest on. */
  settle(settings: Settings): void {
    const { config, problems } = settings;
    this.#settings = { config: config ?? this.#settings.config, problems };
    this.#options.log(problems.length > 0 ? 'warn' : 'info', 'config-read', { problems });
    if (config !== undefined) for (const user of [this.#scope, this.gate]) user?.adopt(config);
    if (config !== undefined && traitsOf(this.#state.phase).heedsConfig)
      this.dispatch({ type: 'restart', why: 'the configuration changed' });
    this.#record.write();
  }

  /** Lets no new connection in, or lets them in again. Those that are through go on. */
  drain(isWanted: boolean): void {
    this.gate[isWanted ? 'drain' : 'undrain']();
    this.#record.write();
    // Whoever asked may read it as soon as there is an answer.
    this.#record.finish();
  }

  /** The machine, or this process, was asleep for so long. */
  woke(sleptMs: number): void {
    this.#options.log('info', 'woke', { sleptMs: Math.round(sleptMs) });
    this.#scope?.note({ sleptMs: Math.round(sleptMs) });
    this.#scope?.afterSleep();
  }

  /** A moment's work, to be called every 5 s: looks whether we are still at home, reads what was written, looks after the guest. */
  tick(): void {
    if (!this.#options.isOurs()) return this.#evict();
    this.#scope?.tick();
    void this.tellKeys();
    this.#record.keep();
  }

  /** Without the directory that we have locked, another daemon may begin beside us. */
  #evict(): void {
    this.dispatch({ type: 'evicted', failure: directoryLost(this.#options.layout.root) });
  }

  /** What a look into the guest shows now; undefined unless it is ready and answers. */
  async lookInside(): Promise<Inside | undefined> {
    return this.#readyScope?.lookInside(this.gate.traffic);
  }

  /** Tells a guest that is ready of keys that are others now; whether it has them. Every other gets them with its start. */
  tellKeys = (): Promise<boolean> => this.#bootFiles.keys.tell(this.#readyScope);

  /** The start whose guest can be asked. */
  get #readyScope(): Scope | undefined {
    return traitsOf(this.#state.phase).builds === 'now' ? this.#scope : undefined;
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
        return this.gate.release(this.#scope?.running.machine?.tunnel);
      case 'hold-door':
        return this.gate.hold('the guest is paused');
      case 'refuse-door':
        this.#bootFiles.remove();
        return this.gate.refuse(sentenceOf(this.#state));
      case 'leave':
        return void this.#close(effect.why);
    }
  }

  #launch(): void {
    if (!this.#options.isOurs()) return this.#evict();
    const scope = new Scope(this.#options, {
      onChange: () => this.#record.writeSoon(),
      onEvent: (event) => this.dispatch(event),
    });
    this.#scope = scope;
    scope.launched = this.#run(scope).catch((thrown: unknown) => {
      if (!scope.signal.aborted) this.dispatch({ type: 'lost', failure: failureOf(thrown) });
    });
  }

  async #run(scope: Scope): Promise<void> {
    const { config, problems } = this.#settings;
    if (config === undefined) throw new Failed(configInvalid(problems));
    scope.config = config;
    await this.gate.open(config);
    this.gate.hold('the guest starts');
    const { onLine, onStep, onImage, onAccelerator, onLost } = scope;
    const { onPaused, onResumed, awaitRoom } = scope.standstill;
    const context = {
      ...{ ...this.#options, config, driver: vmDrivers[config.vm], awaitRoom },
      ...{ isClear: this.#isClear, isDoubtful: this.#isDoubtful, bootFiles: this.#bootFiles },
      ...{ onLine, onStep, onImage, onAccelerator, onPaused, onResumed, onLost },
    };
    await start(context, scope.running, scope.signal);
    scope.noteLaunch();
    this.dispatch({ type: 'vm-launched' });
    await scope.untilReady();
    this.dispatch({ type: 'guest-ready' });
    scope.keepVigil(() => this.gate.bytesFromGuest());
    await scope.keepImage();
  }

  async #endChildren(): Promise<void> {
    this.gate.hold('the guest is away');
    const scope = this.#scope;
    if (scope !== undefined) {
      scope.end();
      await scope.launched;
      await this.#end(scope).catch((error: unknown) =>
        this.#options.log('error', 'stop-failed', { failure: failureOf(error) }),
      );
    }
    this.#scope = undefined;
    this.dispatch({ type: 'children-gone' });
  }

  async #end(scope: Scope): Promise<void> {
    const failure = failureIn(this.#state);
    if (scope.running.vm !== undefined) this.#isDoubtful = !scope.gotReady;
    const isJudged = this.#isClear || scope.running.vm !== undefined;
    this.#isClear = false;
    await endScope(scope, failure, { ...this.#options, now: this.#hurry.signal });
    this.#isClear = isJudged && failure?.kind.endsWith('-lock-held') !== true;
    if (!scope.gotReady) this.#bootFiles.remove();
  }

  async #close(why: Failure | undefined): Promise<void> {
    await this.gate.close();
    this.#bootFiles.remove();
    this.#record.finish();
    this.#leave(why);
  }

  /** What is true now. */
  status(): Status {
    const { port } = this.gate;
    return statusOf({
      ...{ state: this.#state, facts: this.#scope?.facts ?? {}, runs: this.#scope?.config },
      daemon: this.#options.daemon,
      door: port === undefined ? undefined : { port, draining: this.gate.isDraining },
      ...this.#settings,
    });
  }
}
