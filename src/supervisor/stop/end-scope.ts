/** The end of one start: what tells of its failure is kept, then its children end in order. */
import type { Layout } from '../../config/layout.ts';
import type { Clock } from '../../system/time/clock.ts';
import { failureOf, type Failure } from '../../system/failure.ts';
import type { Log } from '../../system/log.ts';
import { keepIncident } from '../health/incident.ts';
import { forgetUnclaimed, type Unresumed } from '../idle/saved-guest.ts';
import type { Scope } from '../scope.ts';
import { stop } from './stop.ts';

interface EndScopeOptions {
  readonly layout: Layout;
  readonly clock: Clock;
  readonly log: Log;
  /** The state directory is ours: what lies there may be removed. */
  readonly isOurs: () => boolean;
  /** Aborts when there is no time for an orderly end. */
  readonly now: AbortSignal;
}

/** The ends of starts, and what they mean for the next one. */
export class Ends {
  readonly #options: EndScopeOptions;
  #isClear = false;
  #isDoubtful = false;
  #unresumed: Unresumed | undefined;

  constructor(options: EndScopeOptions) {
    this.#options = options;
  }

  get known() {
    return {
      /** What was left before this daemon was judged, and all that it has started itself was seen to end. */
      isClear: this.#isClear,
      /** The last VM that was started did not get ready. */
      isDoubtful: this.#isDoubtful,
      /** Why a guest that was suspended is not resumed, where the start that took it has told nobody. */
      unresumed: this.#unresumed,
    };
  }

  /** `failure`: what the start was lost to, where it was. Never rejects: what is left is looked for by the next start. */
  async end(scope: Scope, failure: Failure | undefined): Promise<void> {
    const { vm, guest } = scope.running;
    // What did not go on from its file says nothing of what would boot.
    if (vm !== undefined) this.#isDoubtful = !scope.guest.gotReady && guest?.resumed === undefined;
    this.#keepUnresumed(scope);
    const isJudged = this.#isClear || vm !== undefined;
    this.#isClear = false;
    try {
      await endScope(scope, failure, this.#options);
      if (this.#options.isOurs()) forgetUnclaimed(this.#options.layout);
      this.#isClear = isJudged && failure?.blames !== 'leftover';
    } catch (error) {
      this.#options.log('error', 'stop-failed', { failure: failureOf(error) });
    }
  }

  /** It is told with the plan of the guest that boots instead. */
  #keepUnresumed({ running: { guest, saved, unresumed } }: Scope): void {
    if (guest !== undefined) this.#unresumed = undefined;
    else if (unresumed !== undefined) this.#unresumed = unresumed;
    else if (saved !== undefined) {
      this.#unresumed = { unfit: endedTooEarly };
      // There may be no start after this one.
      this.#options.log('info', 'guest-not-resumed', { why: endedTooEarly });
    }
  }
}

async function endScope(
  scope: Scope,
  failure: Failure | undefined,
  { layout, clock, log, isOurs, now }: EndScopeOptions,
): Promise<void> {
  if (failure?.isIncident === true && isOurs()) {
    const { facts, running, guest } = scope;
    const lines = guest.lastLines(200);
    const incident = { failure, facts: facts.all, lines, machine: running.vm?.machine };
    await keepIncident(incident, { layout, clock, log });
  }
  const { guest } = scope;
  await stop(scope.running, {
    layout,
    clock,
    log,
    isOurs,
    now,
    // Under its name there may be another guest's.
    agent: () => (guest.has('agent') && isOurs() ? guest.agent : undefined),
    listens: () => guest.has('sshd'),
    closeConsole: () => guest.closeConsole(isOurs),
    frozen: failure?.deaf === 'frozen',
    dead: failure?.deaf === 'dead',
  });
  guest.agent.close();
}

/** Why a guest is not resumed that was taken from its file by a start which did not come to its plan. */
export const endedTooEarly = 'the start that was to resume it ended too early';
