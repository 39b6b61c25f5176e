/** A VM that stands still, because the host's disk is full or by somebody's doing; and its going on. */
import type { Layout } from '../config/layout.ts';
import type { GuestAgent } from '../guest/agent.ts';
import type { AwakeClock } from '../system/awake.ts';
import type { Clock } from '../system/clock.ts';
import { failureOf } from '../system/failure.ts';
import type { Log } from '../system/log.ts';
import type { Machine } from '../vm/driver.ts';
import { runStates } from '../vm/run-states.ts';
import { room, untilRoom } from './disk-room.ts';
import type { Event, PauseReason } from './state.ts';
import type { Vigil } from './vigil.ts';

export interface StandstillOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly layout: Layout;
  /** The time that the guest has. */
  readonly awake: AwakeClock;
  readonly agent: Pick<GuestAgent, 'setTime'>;
  readonly signal: AbortSignal;
  readonly machine: () => Machine | undefined;
  readonly vigil: () => Pick<Vigil, 'halt' | 'resume'> | undefined;
  readonly tell: (event: Event) => void;
}

/** Between two attempts to let a paused VM go on. */
const againMs = 5_000;
/** A guest that was just woken may be slow to answer; one that never does is the vigil's. */
const clockTries = 4;

export class Standstill {
  readonly #options: StandstillOptions;

  constructor(options: StandstillOptions) {
    this.#options = options;
  }

  readonly onPaused = (why: PauseReason): void => {
    const { log, tell, awake, vigil } = this.#options;
    log('warn', 'vm-paused', { why });
    tell({ type: 'vm-paused', why });
    // It may be for good: it takes of the time that a boot has, and of the patience with a guest.
    if (!isWaitedFor(why)) return;
    awake.pause();
    vigil()?.halt();
    if (why === 'disk-full') void this.#goOn();
  };

  readonly onResumed = (): void => {
    const { log, tell, awake, vigil } = this.#options;
    log('info', 'vm-resumed');
    awake.resume();
    // The clock stood still: it is right before anybody is told that the guest is back.
    void this.#setClock().then(() => tell({ type: 'vm-resumed' }));
    vigil()?.resume();
  };

  /** A start of a guest that could not be paused waits until the host's disk has room for it. */
  readonly awaitRoom = async (): Promise<void> => {
    const { log, layout, tell } = this.#options;
    log('warn', 'no-room', { path: layout.root });
    tell({ type: 'vm-paused', why: 'disk-full' });
    await this.#untilRoom(room.start);
    tell({ type: 'vm-resumed' });
  };

  /** When there is room again; a VM program that does not listen is told again. */
  async #goOn(): Promise<void> {
    const { clock, log, machine, signal } = this.#options;
    while (!signal.aborted)
      try {
        await this.#untilRoom(room.goOn);
        const found = machine();
        if (found === undefined) throw new Error('its control channel is not open yet');
        return await found.resume();
      } catch (error) {
        if (error === signal.reason) return;
        log('warn', 'not-resumed', { failure: failureOf(error) });
        await clock.sleep(againMs, signal).catch(() => undefined);
      }
  }

  async #setClock(): Promise<void> {
    const { agent, log, signal } = this.#options;
    for (let n = 0; n < clockTries && !signal.aborted; n++)
      try {
        return await agent.setTime(undefined, signal);
      } catch (error) {
        log('warn', 'clock-not-set', { failure: failureOf(error) });
      }
  }

  #untilRoom(bytes: number): Promise<void> {
    const { layout, clock, signal } = this.#options;
    return untilRoom({ path: layout.root, bytes, clock, signal });
  }
}

const isWaitedFor = (why: PauseReason): boolean =>
  why === 'disk-full' ||
  (why !== 'unknown' && ['left', 'woken'].includes(runStates[why].treatment));
