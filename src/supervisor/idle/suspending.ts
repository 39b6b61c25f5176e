/**
 * A guest goes as a file: it is made quiet, halted, written, and its VM process ended; then file and disk belong together, which
 * saved-guest.ts writes down. Until that process ends all of it can be taken back.
 */
import { guestInUse, guestWanted, noRoomForGuest } from './idle-failures.ts';
import { doorReasons, startReasons } from '../lifecycle/own-reasons.ts';
import type { Config } from '../../config/config.ts';
import type { Layout } from '../../config/layout.ts';
import { freezeGuest, releaseGuest, settleGuest } from '../../guest/agent/freezer.ts';
import type { Clock } from '../../system/time/clock.ts';
import { within } from '../../system/time/deadline.ts';
import { Failed, failureOf, type Failure } from '../../system/failure.ts';
import type { Log } from '../../system/log.ts';
import type { RunningVm } from '../running.ts';
import type { DoorControl } from '../daemon/door-control.ts';
import { commitSaved, discardSaved, forgetMemory } from './saved-guest.ts';
import type { Scope } from '../scope.ts';
import type { PlannedGuest } from './comeback.ts';
import type { VmMemory } from '../../vm/vm-driver.ts';
import type { Effect, Event, Rest, Saved } from '../lifecycle/state.ts';
import { hasRoom } from '../disk/disk-room.ts';
import { memoryOf, obstacleTo } from './suspend-obstacle.ts';
import { noteFailure, noteSuccess, trialOf } from './suspend-trial.ts';

export interface SuspendingOptions {
  readonly layout: Layout;
  readonly clock: Clock;
  readonly log: Log;
  /** Whether the state directory is still the one that we have locked: another's file and disk would be taken for this guest's. */
  readonly isOurs: () => boolean;
  readonly doorControl: () => DoorControl;
  readonly scope: () => Scope | undefined;
  readonly config: () => Config | undefined;
  readonly dispatch: (event: Event) => void;
  /** Has end what we do in the guest. Failed `guest-in-use` where it does not. */
  readonly endWork: () => Promise<void>;
}

/** With less than this in its place the file is what has no room: it was made sure of more before. */
const leastRoom = 64 * 1024 ** 2;
/** Writing takes a second for 100 MB where the disk is slow, and a moment otherwise. */
const saveMs = (bytes: number): number => 10_000 + (bytes / 100e6) * 1_000;
/** QEMU ends within 0.1 s; then it is made to. */
const leaveMs = 2_000;

export class Suspending {
  readonly #options: SuspendingOptions;
  #job: { readonly abort: AbortController; readonly done: Promise<void> } | undefined;
  /** It goes again when its trial is over. */
  #tries: Rest | undefined;

  constructor(options: SuspendingOptions) {
    this.#options = options;
  }

  /** Whether the guest that is ready goes as a file; else it is stopped. */
  get keeps(): boolean {
    const { layout, clock, scope, config } = this.#options;
    const obstacle = obstacleTo(scope(), config(), { layout, clock });
    this.#options.log('debug', 'suspends', { obstacle });
    // What was taken back may still be thawing.
    return obstacle === undefined && this.#job === undefined;
  }

  perform(effect: Extract<Effect, { type: 'suspend' | 'cancel-suspend' }>): void {
    const scope = this.#options.scope();
    if (effect.type === 'cancel-suspend') this.#cancel();
    else if (scope !== undefined) this.#begin(scope, effect.why);
  }

  /** Begins; the end of it comes as an event. */
  #begin(scope: Scope, why: Rest): void {
    const abort = new AbortController();
    const { doorControl, dispatch, layout, log, clock } = this.#options;
    doorControl().hold(doorReasons.suspending);
    const done = this.#run(scope, abort.signal).then((event) => {
      this.#job = undefined;
      const basis = scope.running.guest?.keeping.basis ?? '';
      // Whoever wants or ends it meanwhile has asked for no trial.
      const isUntried = !abort.signal.aborted && trialOf(layout, basis, clock.now()) === 'untried';
      const isFirst = isUntried && event.type === 'suspended' && event.saved !== undefined;
      if (isFirst) this.#tries = why;
      dispatch(event);
      if (!isFirst) return;
      log('info', 'suspend-tried', { basis });
      dispatch({ type: 'wanted', why: startReasons.trial });
    });
    this.#job = { abort, done };
  }

  /** It runs on, unless its VM process is at its end already. */
  #cancel(): void {
    this.#job?.abort.abort(new Error('the guest is wanted'));
  }

  /** The same; resolves when nothing of it goes on. */
  async settle(): Promise<void> {
    this.#cancel();
    await this.#job?.done;
  }

  /** Somebody wants it for longer than a trial takes. */
  stay(): void {
    this.#tries = undefined;
  }

  /** The guest is ready: one that went on from its file has shown that this works. */
  noteReady({ running: { guest } }: Scope): void {
    const { layout, doorControl, dispatch, log } = this.#options;
    if (guest?.resumed !== undefined) {
      noteSuccess(layout, guest.keeping.basis);
      log('info', 'resumed', { resumes: guest.keeping.resumes });
    }
    const why = this.#tries;
    this.#tries = undefined;
    const { held, opening, open } = doorControl().counts();
    if (why !== undefined && held + opening + open === 0)
      dispatch({ type: 'rest', why, keeps: this.keeps });
  }

  /** What has happened: whoever ends the guest, or wants another, has asked for no trial. */
  note(event: Event): void {
    if (event.type === 'lost') this.#noteLoss(event.failure);
    if (event.type === 'stop' || event.type === 'restart') this.stay();
  }

  /** A guest was lost: one that was to go on from its file has not. */
  #noteLoss(failure: Failure): void {
    const scope = this.#options.scope();
    const guest = scope?.running.guest;
    if (scope === undefined || guest?.resumed === undefined || guest.wasReady) return;
    if (!scope.guest.vmPause.wasPaused) this.#learn(scope, failure);
  }

  async #run(scope: Scope, signal: AbortSignal): Promise<Event> {
    const { log, clock } = this.#options;
    const begun = clock.monotonic();
    try {
      const saved = await this.#save(scope, signal);
      const ms = Math.round(clock.monotonic() - begun);
      log('info', 'guest-saved', { ...saved, ms });
      return { type: 'suspended', saved };
    } catch (error) {
      const failure = failureOf(error);
      const isHalted = failure.kind === halted;
      if (!signal.aborted || isHalted) this.#learn(scope, failure);
      if (scope.signal.aborted) return { type: 'suspended', saved: undefined };
      if (isHalted) return { type: 'lost', failure };
      return { type: 'not-suspended', ...(failure.kind === guestInUse.kind && { inUse: true }) };
    }
  }

  async #save(scope: Scope, signal: AbortSignal): Promise<Saved | undefined> {
    const { vm, guest: planned } = scope.running;
    const memory = vm?.machine?.memory;
    if (vm === undefined || memory === undefined || planned === undefined)
      throw new Failed(guestInUse);
    const { vmPause } = scope.guest;
    vmPause.expect(true);
    try {
      await this.#makeQuiet(scope, signal);
      await this.#write(scope, memory, signal);
    } catch (error) {
      vmPause.expect(false);
      throw error;
    }
    await this.#leave(scope, vm);
    this.#step('vm-ended');
    return this.#commit(scope, planned);
  }

  /** Nobody is in the guest, and what it still had to write is written. */
  async #makeQuiet(scope: Scope, signal: AbortSignal): Promise<void> {
    const { endWork, doorControl, isOurs } = this.#options;
    await endWork();
    const inside = await scope.guest.lookInside(undefined);
    // A stranger at the door, who has not logged in, is nobody in the guest.
    const { loggedIn, entering } = doorControl().counts();
    if (inside === undefined || inside.builds + loggedIn + entering > 0 || !isOurs())
      throw new Failed(guestInUse);
    await settleGuest(scope.guest.agent, signal);
    this.#step('settled');
    signal.throwIfAborted();
  }

  /** Its memory goes into a file while its file system is frozen. Where it goes on, nobody is let in before it is as it was. */
  async #write(scope: Scope, memory: VmMemory, signal: AbortSignal): Promise<void> {
    const { layout, clock, doorControl } = this.#options;
    try {
      await freezeGuest(scope.guest.agent);
      this.#step('frozen');
      discardSaved(layout);
      this.#step('saving');
      const timeoutMs = saveMs(memoryOf(scope));
      await memory.save(layout.unfinishedMemory, { signal, timeoutMs });
      this.#step('written');
      if (!signal.aborted && !doorControl().hasWaiting) return;
      await memory.takeBack();
      throw new Failed(guestWanted);
    } catch (thrown) {
      const isHalted = failureOf(thrown).kind === halted;
      const isFull = !isHalted && !hasRoom(layout.state, leastRoom);
      // First, since a guest that goes on may need that room.
      forgetMemory(layout);
      if (!isHalted) await releaseGuest(scope.guest.agent, clock);
      throw isFull ? new Failed(noRoomForGuest, { cause: thrown }) : thrown;
    }
  }

  /** From here on a start resumes it. */
  #commit(scope: Scope, planned: PlannedGuest): Saved | undefined {
    const { layout, clock, isOurs } = this.#options;
    if (!isOurs()) return undefined;
    const at = new Date(clock.now()).toISOString();
    const { nixVersion } = scope.facts.all;
    const { identity, bootedAt, resumes } = planned.keeping;
    const version = nixVersion === undefined ? {} : { nixVersion };
    try {
      const { bytes } = commitSaved(layout, { identity, at, bootedAt, resumes, ...version });
      return { bytes, at };
    } catch (error) {
      discardSaved(layout);
      throw error;
    }
  }

  #step(name: string): void {
    this.#options.log('debug', 'suspend-step', { name });
  }

  /** The point of no return: what comes of this start from here on is no news. */
  async #leave(scope: Scope, { child, machine }: RunningVm): Promise<void> {
    const { clock } = this.#options;
    scope.end();
    void machine?.memory?.leave().catch(() => undefined);
    const late = () => guestInUse;
    await within(() => child.ended, { clock, timeoutMs: leaveMs, late }).catch(() => undefined);
    await child.stop(leaveMs);
  }

  #learn({ running: { guest } }: Scope, failure: Failure): void {
    const { layout, log, clock } = this.#options;
    log('warn', 'not-suspended', { failure });
    if (guest !== undefined && noteFailure(layout, guest.keeping.basis, failure, clock.now()))
      log('warn', 'suspends-no-more', { failure });
  }
}

/** The kind of a guest that does not go on, as {@link VmMemory.takeBack} has it. */
const halted = 'guest-halted';
