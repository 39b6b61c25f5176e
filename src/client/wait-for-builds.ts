/** What every verb does that ends the guest: waits for the builds that run in it. */
import type { Layout } from '../config/layout.ts';
import type { Busy } from '../supervisor/daemon/control-protocol.ts';
import { counted } from '../domain/counted.ts';
import type { CliContext } from '../command/context.ts';
import { seconds } from '../command/option-values.ts';

/** As commander takes it. */
export const nowOption = ['--now', 'do not wait for running builds'] as const;
/** Seconds. */
export const usualWait = 600;
/** As commander takes it. In seconds. */
export const buildsOption = [
  '-t, --timeout <seconds>',
  'how long to wait for running builds',
  seconds,
  usualWait,
] as const;

/** How a verb that ends the guest is called. `timeout`: in s. */
export interface EndOptions {
  readonly now?: boolean;
  readonly timeout: number;
}

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
  const { findStatus } = await import('./found.ts');
  const found = await findStatus(layout, context);
  // Builds in a guest that is paused go on when it does.
  if (found.daemon === 'gone') return;
  const { traitsOf } = await import('../supervisor/lifecycle/phases.ts');
  if (traitsOf(found.status.phase).guest !== 'there') return;
  const { drain } = await import('./drain.ts');
  const waiting = (why: string) =>
    context.err(`${why}; waiting up to ${options.timeout} s (--now skips the wait).`);
  const onBusy = (busy: Busy) => waiting(describeBusy(busy));
  const onSilent = () => waiting(buildsUnknown);
  const { clock, signal } = context;
  const end = await drain(layout, { clock, signal, limitMs, onBusy, onSilent });
  if (end === 'limit') context.err(`Timed out; ${atLimit}.`);
}

/** What a verb does after that wait. Where it fails the door is open again: whoever is held at it would be held for good. */
export async function orLetIn<T>(
  layout: Layout,
  { clock }: Pick<CliContext, 'clock'>,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { ask } = await import('../supervisor/daemon/ask-daemon.ts');
    await ask(layout, 'undrain', clock).catch(() => undefined);
    throw error;
  }
}

/** A daemon that does not answer. */
export const buildsUnknown = 'The daemon does not say whether builds are running';

/** What is waited for: builds, and connections that may be copies or shells. */
export function describeBusy({ builds, loggedIn }: Busy): string {
  const connections = `${counted(loggedIn, 'connection')} ${loggedIn === 1 ? 'is' : 'are'} in use`;
  if (builds === undefined) return `${connections}, by builds or shells`;
  const what =
    builds === 0
      ? 'No builds are running'
      : `${counted(builds, 'build')} ${builds === 1 ? 'is' : 'are'} running`;
  return `${what}, and ${connections}`;
}
