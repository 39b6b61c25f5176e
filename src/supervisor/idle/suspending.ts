/** When a guest goes as a file, whether that can be taken back, and what is learnt where it cannot. The deed is in save-guest.ts. */
import { guestInUse } from './idle-failures.ts';
import { doorReasons, startReasons } from '../lifecycle/own-reasons.ts';
import type { Config } from '../../config/config.ts';
import { failureOf, type Failure } from '../../system/failure.ts';
import type { Scope } from '../scope.ts';
import type { Effect, Event, Rest } from '../lifecycle/state.ts';
import { leftIn } from './saved-guest.ts';
import { within } from '../../system/time/deadline.ts';
import { halted, notSaved } from './not-saved.ts';
import { discardUnwanted, saveGuest, type SavingOptions } from './save-guest.ts';
import { obstacle, obstacleTo, type SuspendObstacle } from './suspend-obstacle.ts';
import { Trials } from '../suspend/trials.ts';
import type { GivenUp } from '../suspend/suspend-trial.ts';

/** One that hears goes on within 0.4 s. */
const settleMs = 5_000;
/** Its VM process ends within 4 s; then gigabytes may have to be brought onto the medium, which is all that is left of the guest. */
const commitMs = 20_000;

export interface SuspendingOptions extends SavingOptions {
  readonly scope: () => Scope | undefined;
  readonly config: () => Config | undefined;
  readonly dispatch: (event: Event) => void;
}

export class Suspending {
  readonly #options: SuspendingOptions;
  #job:
    | { readonly scope: Scope; readonly abort: AbortController; readonly done: Promise<void> }
    | undefined;
  /** It goes again when its trial is over. */
  #tries: Rest | undefined;
  readonly #trials: Trials;

  constructor(options: SuspendingOptions) {
    this.#options = options;
    this.#trials = new Trials(options);
  }

  /** Has the guest go: as a file, or stopped, where there is an obstacle to that. */
  rest(why: Rest): void {
    const inTheWay = this.#obstacle;
    const { layout, scope, log, dispatch } = this.#options;
    log('debug', 'suspends', { obstacle: inTheWay });
    // A start may have ended before it took the file of the guest that was away.
    const saved = scope() === undefined ? leftIn(layout) : undefined;
    const instead = inTheWay?.isOfAll === true ? undefined : inTheWay?.why;
    const keeps = inTheWay === undefined;
    dispatch({ type: 'rest', why, keeps, saved, ...(instead !== undefined && { instead }) });
  }

  /** A guest's memory is in no file where the settings want none there, whatever has become of the guest. */
  adopt({ idle }: Pick<Config, 'idle'>): void {
    if (idle.how === 'stop') this.#options.dispatch({ type: 'no-files' });
  }

  /** Whether the guest that is ready goes as a file; else it is stopped. */
  get keeps(): boolean {
    return this.#obstacle === undefined;
  }

  get #obstacle(): SuspendObstacle | undefined {
    const { layout, clock, scope, config } = this.#options;
    // What was taken back may still be thawing.
    if (this.#job !== undefined) return obstacle('cancelled');
    return obstacleTo(scope(), config(), { layout, clock });
  }

  /** That no guest is suspended with this program any more, where one could be by the settings. */
  get givenUp(): GivenUp | undefined {
    const { scope, config } = this.#options;
    return config()?.idle.how === 'stop' ? undefined : this.#trials.givenUp(scope());
  }

  perform(effect: Extract<Effect, { type: 'suspend' | 'cancel-suspend' | 'discard-saved' }>): void {
    const scope = this.#options.scope();
    if (effect.type === 'discard-saved') discardUnwanted(this.#options);
    else if (effect.type === 'cancel-suspend') this.#cancel();
    else if (scope !== undefined) this.#begin(scope, effect.why);
  }

  /** Begins; the end of it comes as an event. */
  #begin(scope: Scope, why: Rest): void {
    const abort = new AbortController();
    const { doorControl, dispatch, log } = this.#options;
    doorControl().hold(doorReasons.suspending);
    const basis = scope.running.guest?.keeping.basis;
    if (basis !== undefined) this.#trials.begin(basis);
    const done = this.#run(scope, abort.signal).then((event) => {
      this.#job = undefined;
      this.#trials.end();
      // Whoever wants or ends it meanwhile has asked for no trial.
      const isUntried = basis !== undefined && this.#trials.outcome(basis) === 'untried';
      const isSaved = event.type === 'suspended' && event.saved !== undefined;
      const isFirst = isUntried && isSaved && !abort.signal.aborted;
      if (isFirst) this.#tries = why;
      dispatch(event);
      if (!isFirst) return;
      log('info', 'suspend-tried', { basis });
      dispatch({ type: 'wanted', why: startReasons.trial, isTrial: true });
    });
    this.#job = { scope, abort, done };
  }

  /** It runs on, unless its VM process is at its end already. */
  #cancel(): void {
    this.#job?.abort.abort(new Error('the guest is wanted'));
  }

  /**
   * The same, for whoever ends the guest: resolves when nothing of it goes on, when it is no use to wait, or when `now` aborts. A guest that
   * does not hear has its VM process ended, by which this ends as well; one whose VM process has ended is about to be safe.
   */
  async settle(now: AbortSignal): Promise<void> {
    this.#cancel();
    if (this.#job === undefined) return;
    const { done, scope } = this.#job;
    // Past the point of no return its start is over.
    const timeoutMs = scope.signal.aborted ? commitMs : settleMs;
    const inTime = { clock: this.#options.clock, signal: now, timeoutMs, late: () => guestInUse };
    await within(() => done, inTime).catch(() => undefined);
  }

  /** Whether it is away for no longer than its trial takes. */
  get tries(): boolean {
    return this.#tries !== undefined;
  }

  /** Somebody wants it for longer than a trial takes. */
  stay(): void {
    this.#tries = undefined;
  }

  /** The guest is ready: one that went on from its file has shown that this works. */
  noteReady({ running: { guest } }: Scope): void {
    const { doorControl, log } = this.#options;
    if (guest?.resumed !== undefined) {
      this.#trials.noteSuccess(guest.keeping.basis);
      log('info', 'resumed', { resumes: guest.keeping.resumes });
    } else if (guest !== undefined) this.#trials.countCutShort(guest.keeping.basis);
    const why = this.#tries;
    this.#tries = undefined;
    const { opening, entering, loggedIn } = doorControl().counts();
    const isWanted = doorControl().hasWaiting || opening + entering + loggedIn > 0;
    if (why !== undefined && !isWanted) this.rest(why);
  }

  /** What has happened: whoever ends the guest, wants another, or sends it away during its trial, has asked for no trial. */
  note(event: Event): void {
    const scope = this.#options.scope();
    const basis = scope?.running.guest?.keeping.basis;
    if (event.type === 'resumes' && basis !== undefined) this.#trials.begin(basis);
    if (event.type === 'lost' && scope !== undefined) this.#trials.noteLoss(scope, event.failure);
    if (event.type === 'children-gone') this.#trials.end();
    if (['stop', 'restart', 'rest'].includes(event.type)) this.stay();
  }

  async #run(scope: Scope, signal: AbortSignal): Promise<Event> {
    const { log, clock } = this.#options;
    const begun = clock.monotonic();
    try {
      const saved = await saveGuest(scope, this.#options, signal);
      const ms = Math.round(clock.monotonic() - begun);
      log('info', 'guest-saved', { ...saved, ms });
      return { type: 'suspended', saved };
    } catch (error) {
      const failure = failureOf(error);
      log('info', 'guest-not-saved', { failure });
      return this.#whatIsLeft(scope, failure, signal);
    }
  }

  #whatIsLeft(scope: Scope, failure: Failure, signal: AbortSignal): Event {
    if (!signal.aborted || failure.kind === halted) this.#trials.noteFailure(scope, failure);
    return notSaved(failure, scope.signal.aborted);
  }
}
