/** Why a guest that somebody sends away does not go. Pure. */
import type { Counts } from '../../door/through.ts';
import type { Answers } from '../daemon/control-protocol.ts';

/** What is known of a guest that is not just being resumed. */
interface Asked {
  readonly isForced: boolean;
  /** Whether an ssh client waits at the door. */
  readonly hasWaiting: boolean;
  readonly counts: Pick<Counts, 'loggedIn' | 'entering'>;
  /** Builds that run in it; undefined where it does not say. */
  readonly builds: number | undefined;
  /** Whether somebody waits for a `gc` or `trim`. */
  readonly isHousekeeping: boolean;
  /** Whether it has booted: one that boots is used by nobody yet. */
  readonly isThere: boolean;
}

/** Undefined where it may go. Who forces it asks neither who is in it nor whether it says that. */
export function whyItStays(asked: Asked): Omit<Answers['suspend'], 'goes'> | undefined {
  const { isForced, hasWaiting, counts, builds, isHousekeeping, isThere } = asked;
  if (hasWaiting) return {};
  if (isForced) return undefined;
  const inUse = { loggedIn: counts.loggedIn + counts.entering, builds };
  if (inUse.loggedIn + (builds ?? 0) > 0) return { inUse };
  if (isHousekeeping) return { isHousekeeping: true };
  return builds === undefined && isThere ? { isSilent: true } : undefined;
}
