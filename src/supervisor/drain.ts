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
  /** So many connections are still through: builds, copies, shells. Called when the number changes. */
  readonly onOpen: (count: number) => void;
}

const everyMs = 500;

/** `drained` when nothing is through any more (or no daemon runs), `limit` when time was up. */
export async function drain(layout: Layout, options: DrainOptions): Promise<'drained' | 'limit'> {
  const { clock, signal, limitMs, onOpen } = options;
  const deadline = clock.monotonic() + limitMs;
  let told = 0;
  try {
    let { open } = await ask(layout, 'drain', clock, signal);
    while (Number(open) > 0 && clock.monotonic() < deadline) {
      if (open !== told) onOpen((told = Number(open)));
      await clock.sleep(everyMs, signal);
      ({ open } = await ask(layout, 'door', clock, signal));
    }
    return Number(open) > 0 ? 'limit' : 'drained';
  } catch (error) {
    if (failureOf(error).kind === 'daemon-not-running') return 'drained';
    await ask(layout, 'undrain', clock).catch(() => undefined);
    throw error;
  }
}
