/** What every command does that ends the guest: waits for the builds that run in it. */
import type { Layout } from '../config/layout.ts';
import type { DoorHeld } from '../supervisor/daemon/ask-daemon.ts';
import type { Busy } from '../supervisor/daemon/control-protocol.ts';
import type { CliContext } from '../command/context.ts';
import { buildsUnknown, describeBusy, type EndOptions } from './builds-option.ts';
import { findStatus } from './found.ts';
import { traitsOf } from '../supervisor/lifecycle/phases.ts';
import { drain } from './drain.ts';

interface WaitOptions extends EndOptions {
  /** What becomes of those that are not done in time. */
  readonly atLimit?: string;
}

/**
 * Unless it is to be now: lets no new connection in, waits for those that are through, and then does `work`. When that is done, or has
 * failed, nobody is kept out for it any more.
 */
export async function afterBuilds<T>(
  layout: Layout,
  { now, timeout, atLimit = 'stopping anyway' }: WaitOptions,
  context: CliContext,
  work: (door?: DoorHeld) => Promise<T>,
): Promise<T> {
  if (now === true) return work();
  const found = await findStatus(layout, context);
  // Builds in a guest that is paused go on when it does.
  if (found.daemon === 'gone' || traitsOf(found.status.phase).guest !== 'there') return work();
  const waiting = (why: string) =>
    context.err(`${why}; waiting up to ${timeout} s (--now skips the wait).`);
  const onBusy = (busy: Busy) => waiting(describeBusy(busy));
  const onSilent = () => waiting(buildsUnknown);
  const { clock, signal } = context;
  return drain(
    layout,
    { clock, signal, limitMs: timeout * 1000, onBusy, onSilent },
    (end, door) => {
      if (end === 'limit') context.err(`Timed out; ${atLimit}.`);
      return work(door);
    },
  );
}
