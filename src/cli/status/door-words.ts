/** Who is at the front door, and who comes past it, in the words of `status`. */
import { undrain } from '../../client/drained.ts';
import { counted } from '../../domain/counted.ts';
import { advice } from '../../system/advice.ts';
import type { LiveFacts } from './report-schema.ts';

/** Behind where it is. */
export function doorWords({ connections }: LiveFacts): string {
  if (connections === undefined) return '';
  const { open, held, loggedIn = open } = connections;
  const through = `, ${counted(open, 'connection')}`;
  const strangers = loggedIn < open ? `, ${open - loggedIn} of them not logged in` : '';
  return `${through}${strangers}${held === 0 ? '' : `, ${held} waiting for the guest`}`;
}

export function crowdWords({ connections }: LiveFacts): string | undefined {
  const crowd = connections?.crowd;
  if (crowd === undefined) return undefined;
  return `${crowd.waiting + crowd.newcomers} connections ${whose(crowd)} have not logged in: ${crowd.waiting} waiting, ${crowd.newcomers} at the guest; other users are not affected`;
}

export const pastWords = ({ past }: LiveFacts): string | undefined =>
  past &&
  `${counted(past.connections, 'connection')} ${whose(past)} to the port that QEMU forwards past the front door. It accepts one at a time, so logins may be blocked. A newer QEMU, or --network gvproxy, has no such port`;

function whose({ uid, user }: { readonly uid?: number; readonly user?: string }): string {
  if (uid === undefined) return 'from unknown users';
  return user === undefined ? `from the user with ID ${uid}` : `from ${user}`;
}

/** Before all else: nothing of what follows explains why no build comes. */
export const drainedLine = advice`Drained: new builds are refused. To accept them again: ${undrain}`;
