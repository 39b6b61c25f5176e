/** The guest goes when nobody needs it, and comes back for whoever does: what is seen of both, as events of the life. */
import { doorReasons, startReasons } from '../lifecycle/own-reasons.ts';
import { idleMs } from '../../config/idle.ts';
import type { Counts } from '../../door/through.ts';
import type { Inside } from '../../guest/agent/inside.ts';
import { failureOf } from '../../system/failure.ts';
import type { Answers } from '../daemon/control-protocol.ts';
import { DayNotes } from './day-notes.ts';
import { Housekeeping, type HousekeepingOptions } from './housekeeping.ts';
import { Idleness } from './idleness.ts';
import { heedsClients, isResting } from '../lifecycle/resting.ts';
import { traitsOf } from '../lifecycle/phases.ts';
import { pressureNow } from './pressure.ts';
import { readSaved } from './saved-guest.ts';
import type { Scope } from '../scope.ts';
import type { Event, Phase, State } from '../lifecycle/state.ts';
import { residentIn } from './suspend-obstacle.ts';
import { Suspending, type SuspendingOptions } from './suspending.ts';
import { announcedAgent } from '../daemon/way-in.ts';
import { whyItStays } from './why-it-stays.ts';

interface OnDemandOptions
  extends
    Omit<SuspendingOptions, 'endWork'>,
    Omit<HousekeepingOptions, 'signal' | 'layout' | 'agent'> {
  readonly state: () => State;
  /** The door may be another. */
  readonly onDoor: () => void;
}

export class OnDemand {
  readonly #options: OnDemandOptions;
  readonly #idleness: Idleness;
  readonly #notes: DayNotes;
  /** What is done with a guest before it goes. */
  readonly housekeeping: Housekeeping;
  readonly suspending: Suspending;
  /** Ends what is asked of the machine. */
  readonly #over = new AbortController();

  constructor(options: OnDemandOptions) {
    this.#options = options;
    this.housekeeping = new Housekeeping({
      ...options,
      signal: this.#over.signal,
      agent: () => announcedAgent(this.#readyScope),
    });
    this.suspending = new Suspending({ ...options, endWork: () => this.housekeeping.end() });
    this.#notes = new DayNotes({ ...options, residentBytes: () => residentIn(options.scope()) });
    this.#idleness = new Idleness({
      clock: options.clock,
      afterMs: () => idleMs(options.config()),
      counts: () => options.doorControl().counts(),
      hasWaiting: () => options.doorControl().hasWaiting,
      lookInside: () => this.#lookInside(),
      isAsked: () => this.housekeeping.isAsked,
      pressure: () => pressureNow({ policy: () => options.config()?.idle }, this.#over.signal),
      onIdle: (why) => this.suspending.rest(why),
    });
  }

  readonly onCounts = (counts: Counts): void => {
    this.#idleness.note(counts);
    this.#notes.users(counts.loggedIn);
  };

  readonly onWaiting = (): void => {
    this.housekeeping.onWaiting();
    this.heed();
  };

  readonly onDoor = (): void => this.#options.onDoor();

  /** Who waits at the door wants the guest, unless nobody is let in. */
  heed(): void {
    const { doorControl, state, dispatch } = this.#options;
    const { hasWaiting, isDraining } = doorControl();
    if (heedsClients(state()) && hasWaiting && !isDraining)
      dispatch({ type: 'wanted', why: startReasons.client });
  }

  notePhase(phase: Phase): void {
    this.#notes.phase(phase);
  }

  /** What became of an event. */
  noteStep(before: State, event: Event): void {
    const now = this.#options.state();
    const { builds } = traitsOf(now.phase);
    this.#idleness.watch(builds === 'now');
    this.suspending.note(event);
    // What is saved and resumed to try that is neither away nor woken for anybody.
    if (event.type === 'suspended' && event.saved !== undefined && !this.suspending.tries)
      this.#notes.note({ event: 'guest-saved' });
    if (builds === 'ended') this.#over.abort(new Error('the daemon is exiting'));
    const isWake = event.type === 'wanted' && event.isTrial !== true;
    if (isWake && heedsClients(before) && !heedsClients(now)) {
      this.#options.log('info', 'wanted', { why: event.why });
      this.#notes.note({ event: 'wanted' });
      this.#idleness.noteWake();
    }
    this.heed();
  }

  /**
   * Sends the guest away until it is wanted: not where somebody waits at the door who wants it now, nor, unless that is forced, where
   * somebody is in it or waits for a `gc` or `trim`, or it does not say whether it builds.
   */
  async suspend(isForced: boolean): Promise<Answers['suspend']> {
    const stays = await this.#whyItStays(isForced);
    if (stays !== undefined) return { goes: false, ...stays };
    this.suspending.rest({ type: 'asked', ...(isForced && { isForced: true as const }) });
    return { goes: true };
  }

  /** Undefined where it may go. */
  async #whyItStays(isForced: boolean): Promise<Omit<Answers['suspend'], 'goes'> | undefined> {
    if (this.#isComingBack) return { isComing: true };
    const builds = isForced ? undefined : (await this.#lookInside())?.builds;
    const { doorControl, state } = this.#options;
    const { hasWaiting } = doorControl();
    return whyItStays({
      isForced,
      hasWaiting,
      counts: doorControl().counts(),
      builds,
      isHousekeeping: this.housekeeping.isAsked,
      isThere: traitsOf(state().phase).guest === 'there',
    });
  }

  /** Whether this start brings back a guest from its file, or is about to find out. */
  get #isComingBack(): boolean {
    const { state, scope, layout } = this.#options;
    const { phase } = state();
    if (phase !== 'starting') return phase === 'resuming';
    return scope()?.running.saved !== undefined || readSaved(layout) !== undefined;
  }

  /** A fresh look into the guest; undefined where it does not answer. */
  async #lookInside(): Promise<Inside | undefined> {
    return this.#readyScope?.guest.lookInside(undefined);
  }

  get #readyScope(): Scope | undefined {
    const { state, scope } = this.#options;
    return traitsOf(state().phase).builds === 'now' ? scope() : undefined;
  }

  /** Brings it back where it is away or goes; whether it was so. */
  resume(): boolean {
    const { state, dispatch } = this.#options;
    const was = isResting(state());
    this.suspending.stay();
    this.#idleness.use();
    dispatch({ type: 'wanted', why: startReasons.asked });
    return was;
  }

  /** Until `gone` aborts one of the logins is a question of ours, which is no use of the guest. */
  question(gone: AbortSignal | undefined): void {
    if (gone !== undefined) this.#idleness.question(gone);
  }

  /** Has the door open while there is no guest. Where it cannot be had, a start meets the same and tells it. */
  async awaitClients(): Promise<void> {
    const { doorControl, config, log, onDoor, dispatch, state } = this.#options;
    const settings = config();
    if (settings !== undefined) this.suspending.adopt(settings);
    try {
      if (settings !== undefined) await doorControl().open(settings);
      // Where it had given up they were sent off; it may have been asked to try again meanwhile, and be ready or have given up anew.
      if (heedsClients(state())) doorControl().hold(doorReasons.away);
      onDoor();
      // Who came while it was being opened has been told to nobody.
      this.heed();
    } catch (error) {
      log('warn', 'door-not-open', { failure: failureOf(error) });
      dispatch({ type: 'wanted', why: startReasons.noDoor });
    }
  }

  /** A look, every 5 s. */
  tick(): void {
    this.housekeeping.tick();
    this.#notes.tick(this.#options.doorControl().counts().loggedIn);
    this.#idleness.tick();
  }

  /** The machine was asleep for so long. */
  slept(ms: number): void {
    this.#idleness.slept(ms);
  }
}
