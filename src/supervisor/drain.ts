/** Before a stop: no new connection comes in, and those that are through may finish. */
import type { Layout } from '../config/layout.ts';
import type { Clock } from '../system/clock.ts';
import { failureOf } from '../system/failure.ts';
import { ask } from './control.ts';

export interface DrainOptions {
  readonly clock: Clock;
  /** Ends the wait, and lets new connections in again: the stop is called off. */
  readonly signal: AbortSignal;
  readonly limitMs: number;
  /** What is still through. Called when it changes. */
  readonly onBusy: (busy: Busy) => void;
}

/** What a stop waits for. */
export interface Busy {
  /** Connections: builds, copies, shells. */
  readonly open: number;
  /** Builds that run in the guest; undefined where it does not say. */
  readonly builds: number | undefined;
}

const everyMs = 500;
/** A look into the guest costs it a process: it is made when a connection came or went, and now and then. */
const looksEvery = 10;

/** `drained` when nothing is through any more (or no daemon runs), `limit` when time was up. */
export async function drain(layout: Layout, options: DrainOptions): Promise<'drained' | 'limit'> {
  const { clock, signal, limitMs, onBusy } = options;
  const deadline = clock.monotonic() + limitMs;
  let told: Busy = { open: 0, builds: undefined };
  try {
    let open = Number((await ask(layout, 'drain', clock, signal))['open']);
    for (let turn = 0; open > 0 && clock.monotonic() < deadline; turn++) {
      const isLook = open !== told.open || turn % looksEvery === 0;
      const builds = isLook ? await buildsIn(layout, clock, signal) : told.builds;
      if (open !== told.open || builds !== told.builds) onBusy((told = { open, builds }));
      await clock.sleep(everyMs, signal);
      open = Number((await ask(layout, 'door', clock, signal))['open']);
    }
    return open > 0 ? 'limit' : 'drained';
  } catch (error) {
    if (failureOf(error).kind === 'daemon-not-running') return 'drained';
    await ask(layout, 'undrain', clock).catch(() => undefined);
    throw error;
  }
}

/** What is not known does not end the wait: whether the daemon lives is asked at the door. */
async function buildsIn(layout: Layout, clock: Clock, signal: AbortSignal) {
  const { builds } = await ask(layout, 'guest', clock, signal).catch(() => ({ builds: undefined }));
  return typeof builds === 'number' ? builds : undefined;
}
