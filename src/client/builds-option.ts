/** How long a command waits for builds, as it is told, and how it says whom it waits for. */
import { seconds } from '../command/option-values.ts';
import { counted } from '../domain/counted.ts';
import type { Busy } from '../supervisor/daemon/control-protocol.ts';

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

/** How a command that ends the guest is called. `timeout`: in s. */
export interface EndOptions {
  readonly now?: boolean;
  readonly timeout: number;
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
