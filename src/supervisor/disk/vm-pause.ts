/** A VM that stands still, because the host's disk is full or by somebody's doing; and its going on. */
import type { Layout } from '../../config/layout.ts';
import type { GuestAgent } from '../../guest/agent/agent.ts';
import type { AwakeClock } from '../../system/time/awake.ts';
import type { Clock } from '../../system/time/clock.ts';
import { Exit, Failed, failureOf, type Failure } from '../../system/failure.ts';
import type { Log } from '../../system/log.ts';
import type { VmControl } from '../../vm/vm-driver.ts';
import { lackOf, roomAt, untilEnough, type DiskRoom } from './disk-room.ts';
import { DiskTrouble } from './disk-trouble.ts';
import type { Event, PauseReason } from '../lifecycle/state.ts';
import type { LivenessMonitor } from '../health/monitor.ts';

interface VmPauseOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly layout: Layout;
  /** The time that the guest has. */
  readonly awake: AwakeClock;
  readonly agent: Pick<GuestAgent, 'setTime'>;
  readonly signal: AbortSignal;
  readonly machine: () => VmControl | undefined;
  readonly monitor: () => Pick<LivenessMonitor, 'halt' | 'resume'> | undefined;
  readonly tell: (event: Event) => void;
}

/** A guest that was just woken may be slow to answer; one that never does is the monitor's. */
const clockTries = 4;

/** Of one VM: why it stands still, and when it goes on. */
export class VmPause {
  readonly #options: VmPauseOptions;
  readonly #trouble: DiskTrouble;
  /** Grows with each pause. */
  #pauses = 0;
  /** It is we who halt it, and have it go on; until something befalls it meanwhile. */
  #isOurs = false;

  constructor(options: VmPauseOptions) {
    this.#options = options;
    const { machine, tell, log } = options;
    this.#trouble = new DiskTrouble({
      ...options,
      resume: async () => {
        const found = machine();
        if (found === undefined) throw new Failed(notConnected);
        await found.resume();
      },
      onCause: (why) => {
        log('warn', 'vm-paused', { why });
        tell({ type: 'vm-paused', why });
      },
      onLost: (failure) => tell({ type: 'lost', failure }),
    });
  }

  /** Whether it is we who halt the guest from now on, and have it go on. What has befallen it meanwhile goes on until that ends. */
  expect(isOurs: boolean): void {
    if (isOurs === this.#isOurs) return;
    this.#isOurs = isOurs;
    if (isOurs) this.#options.monitor()?.halt();
    else this.#options.monitor()?.resume();
  }

  /** Whether it may stand still because of us: it is asked nothing that it need not be asked now. */
  get isExpected(): boolean {
    return this.#isOurs;
  }

  /** It was halted, and not by us. */
  get wasPaused(): boolean {
    return this.#pauses > 0;
  }

  readonly onPaused = (why: PauseReason): void => {
    const { log, tell, awake, monitor } = this.#options;
    if (this.#isOurs && ofSuspends.has(why)) return;
    if (this.#isOurs) this.expect(false);
    this.#pauses++;
    log('warn', 'vm-paused', { why });
    tell({ type: 'vm-paused', why });
    // It may be for good: it takes of the time that a boot has, and of the time that a silent guest is given.
    if (!isWaitedFor(why)) return;
    awake.pause();
    monitor()?.halt();
    if (why === 'disk-full' || why === 'io-error') void this.#trouble.paused(why);
  };

  readonly onResumed = (): void => {
    const { log, tell, awake, monitor } = this.#options;
    if (this.#isOurs) return;
    log('info', 'vm-resumed');
    awake.resume();
    this.#trouble.resumed();
    const pauses = this.#pauses;
    // The clock stood still: it is right before anybody is told that the guest is back.
    void this.#setClock().then(() => {
      if (pauses === this.#pauses) tell({ type: 'vm-resumed' });
    });
    monitor()?.resume();
  };

  /** A start waits until the host's disk has room for a guest that could not be paused, or inodes for what it makes. */
  readonly awaitRoom = async (wanted: DiskRoom): Promise<void> => {
    const { log, layout, tell, clock, signal } = this.#options;
    const lack = () => lackOf(wanted, roomAt(layout.root));
    const why = lack();
    if (why === undefined) return;
    log('warn', 'no-room', { path: layout.root, why });
    tell({ type: 'vm-paused', why });
    await untilEnough(() => lack() === undefined, { clock, signal });
    tell({ type: 'vm-resumed' });
  };

  async #setClock(): Promise<void> {
    const { agent, log, signal } = this.#options;
    const pauses = this.#pauses;
    for (let n = 0; n < clockTries && !signal.aborted && pauses === this.#pauses; n++)
      try {
        return await agent.setTime(undefined, signal);
      } catch (error) {
        log('warn', 'clock-not-set', { failure: failureOf(error) });
      }
  }
}

export const notConnected: Failure = {
  kind: 'vm-not-connected',
  message: 'The control channel of the VM program is not open yet.',
  hint: 'This is tried again.',
  exit: Exit.temporary,
};

/** States that QEMU goes through when its guest is put into a file, or taken from one. */
const ofSuspends: ReadonlySet<PauseReason> = new Set([
  ...(['paused', 'finish-migrate', 'postmigrate', 'inmigrate'] as const),
]);

/** A VM program that does not say why may hang. */
const isWaitedFor = (why: PauseReason): boolean => why !== 'unknown';
