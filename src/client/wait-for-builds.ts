/** What every command does that ends the guest: waits for the builds that run in it. */
import type { Layout } from '../config/layout.ts';
import type { Busy } from '../supervisor/daemon/control-protocol.ts';
import type { CliContext } from '../command/context.ts';
import { buildsUnknown, describeBusy, type EndOptions } from './builds-option.ts';
import { findStatus } from './found.ts';
import { traitsOf } from '../supervisor/lifecycle/phases.ts';
import { drain } from './drain.ts';
import { ask } from '../supervisor/daemon/ask-daemon.ts';

/**
 * Unless it is to be now: lets no new connection in and waits for those that are through. `atLimit`: what becomes of those that are not
 * done in time.
 */
export async function waitForBuilds(
  layout: Layout,
  options: EndOptions,
  context: CliContext,
  atLimit = 'stopping anyway',
): Promise<void> {
  if (options.now === true) return;
  const limitMs = options.timeout * 1000;
  const found = await findStatus(layout, context);
  // Builds in a guest that is paused go on when it does.
  if (found.daemon === 'gone') return;
  if (traitsOf(found.status.phase).guest !== 'there') return;
  const waiting = (why: string) =>
    context.err(`${why}; waiting up to ${options.timeout} s (--now skips the wait).`);
  const onBusy = (busy: Busy) => waiting(describeBusy(busy));
  const onSilent = () => waiting(buildsUnknown);
  const { clock, signal } = context;
  const end = await drain(layout, { clock, signal, limitMs, onBusy, onSilent });
  if (end === 'limit') context.err(`Timed out; ${atLimit}.`);
}

/** What a command does after that wait. Where it fails the door is open again: whoever is held at it would be held for good. */
export async function orLetIn<T>(
  layout: Layout,
  { clock }: Pick<CliContext, 'clock'>,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await ask(layout, 'undrain', clock).catch(() => undefined);
    throw error;
  }
}
