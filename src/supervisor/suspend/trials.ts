/** The trials of one daemon: what is put down of each suspend and each resume, before it and after. */
import type { Failure } from '../../system/failure.ts';
import type { Log } from '../../system/log.ts';
import type { Clock } from '../../system/time/clock.ts';
import type { Scope } from '../scope.ts';
import {
  countCutShort,
  givenUp,
  noteBegun,
  noteEnded,
  noteFailure,
  noteSuccess,
  trialOf,
  type GivenUp,
  type Outcome,
  type TrialPlace,
} from './suspend-trial.ts';

interface TrialsOptions {
  readonly layout: TrialPlace;
  readonly clock: Clock;
  readonly log: Log;
}

/** One daemon's trials, of which there is one at a time, and what is learnt from each end of a suspend. */
export class Trials {
  readonly #options: TrialsOptions;
  #onTrial: string | undefined;

  constructor(options: TrialsOptions) {
    this.#options = options;
  }

  outcome(basis: string): Outcome {
    return trialOf(this.#options.layout, basis, this.#options.clock.now());
  }

  /** Put down before anything of it happens: nobody may live to tell how it ends. What has worked once is on trial no more. */
  begin(basis: string): void {
    if (this.#onTrial !== undefined || this.outcome(basis) === 'works') return;
    this.#onTrial = basis;
    noteBegun(this.#options.layout, basis);
  }

  /** Whatever came of it: it was seen. */
  end(): void {
    if (this.#onTrial !== undefined) noteEnded(this.#options.layout, this.#onTrial);
    this.#onTrial = undefined;
  }

  noteSuccess(basis: string): void {
    this.#onTrial = undefined;
    noteSuccess(this.#options.layout, basis);
  }

  /** A guest was not suspended, or, where `event` says so, not resumed. */
  noteFailure(
    { running: { guest } }: Scope,
    failure: Failure,
    event: 'not-suspended' | 'resume-failed' = 'not-suspended',
  ): void {
    const { layout, log, clock } = this.#options;
    this.end();
    log('warn', event, { failure });
    if (guest !== undefined && noteFailure(layout, guest.keeping.basis, failure, clock.now()))
      log('warn', 'suspends-no-more', { failure });
  }

  /** A guest was lost: one that was to go on from its file has not. */
  noteLoss(scope: Scope, failure: Failure): void {
    const { guest } = scope.running;
    if (guest?.resumed === undefined || guest.wasReady || scope.guest.vmPause.wasPaused) return;
    // One that has died just then, by whatever words, has not borne it.
    const learnt =
      failure.deaf === undefined ? failure : { ...failure, suspendFault: true as const, lines: [] };
    this.noteFailure(scope, learnt, 'resume-failed');
  }

  /** Of the guest that there is; without one, of what was tried last. */
  givenUp(scope: Scope | undefined): GivenUp | undefined {
    const { layout, clock } = this.#options;
    // One that is under way counts as failed for whoever comes after us, not for us.
    if (this.#onTrial !== undefined) return undefined;
    return givenUp(layout, clock.now(), scope?.running.guest?.keeping.basis);
  }

  /** A guest has booted, and none is on trial: those of which no daemon saw the end have failed. */
  countCutShort(basis: string): void {
    const { layout, log, clock } = this.#options;
    const { lost, isLast } = countCutShort(layout, basis, clock.now());
    if (lost > 0) log('warn', 'suspend-trial-cut-short', { times: lost });
    if (isLast) log('warn', 'suspends-no-more', {});
  }
}
