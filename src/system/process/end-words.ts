/** How a command ended, for people. */
import { refusal } from '../files/reasons.ts';
import type { CommandResult } from './child.ts';

/** What it said last of why it failed; how it ended, where it said nothing. */
export const whyFailed = ({ ended, stderr }: CommandResult): string =>
  stderr.trim() === '' ? `it ${endWords(ended)}` : stderr.trim();

/** How a program ended, after its name: `exited with code 1`. */
export function endWords(ended: CommandResult['ended']): string {
  switch (ended.kind) {
    case 'exited':
      return `exited with code ${ended.code}`;
    case 'signalled':
      return `was killed by ${ended.signal}`;
    case 'not-started':
      return `could not be started (${refusal(ended.reason)})`;
    case 'timed-out':
      return 'timed out';
    case 'cancelled':
      return 'was stopped';
  }
}
