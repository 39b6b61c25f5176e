/** The end of one start: what tells of its failure is kept, then its children end in order. */
import type { Layout } from '../config/layout.ts';
import type { Clock } from '../system/clock.ts';
import { failureOf, type Failure } from '../system/failure.ts';
import type { Log } from '../system/log.ts';
import { keepIncident } from './incident.ts';
import { forgetUnclaimed } from './saved-guest.ts';
import type { Scope } from './scope.ts';
import { stop } from './stop.ts';

export interface EndOptions {
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
  readonly #options: EndOptions;
  /** What was left before this daemon was judged, and all that it has started itself was seen to end. */
  isClear = false;
  /** The last VM that was started did not get ready. */
  isDoubtful = false;

  constructor(options: EndOptions) {
    this.#options = options;
  }

  /** `failure`: what the start was lost to, where it was. Never rejects: what is left is looked for by the next start. */
  async end(scope: Scope, failure: Failure | undefined): Promise<void> {
    const { vm } = scope.running;
    const { resumed } = scope.running;
    // What did not go on from its file says nothing of what would boot.
    if (vm !== undefined) this.isDoubtful = !scope.gotReady && resumed === undefined;
    const isJudged = this.isClear || vm !== undefined;
    this.isClear = false;
    try {
      await endScope(scope, failure, this.#options);
      if (this.#options.isOurs()) forgetUnclaimed(this.#options.layout);
      this.isClear = isJudged && failure?.blames !== 'leftover';
    } catch (error) {
      this.#options.log('error', 'stop-failed', { failure: failureOf(error) });
    }
  }
}

async function endScope(
  scope: Scope,
  failure: Failure | undefined,
  { layout, clock, log, isOurs, now }: EndOptions,
): Promise<void> {
  if (failure?.isIncident === true && isOurs()) {
    const { facts, running } = scope;
    const incident = { failure, facts, lines: scope.lastLines(200), machine: running.machine };
    await keepIncident(incident, { layout, clock, log });
  }
  await stop(scope.running, {
    ...{ layout, clock, log, isOurs, now },
    // Under its name there may be another guest's.
    agent: () => (scope.watch.has('agent') && isOurs() ? scope.agent : undefined),
    listens: () => scope.watch.has('sshd'),
    frozen: failure?.deaf === 'frozen',
    dead: failure?.deaf === 'dead',
  });
  scope.agent.close();
}
