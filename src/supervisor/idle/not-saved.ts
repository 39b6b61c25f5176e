/** What becomes of a guest whose suspend did not end well. Pure. */
import type { Failure } from '../../system/failure.ts';
import type { Event } from '../lifecycle/state.ts';
import { guestInUse } from './idle-failures.ts';

/** The kind of a guest that does not go on, as `VmMemory.takeBack` has it. */
export const halted = 'guest-halted';

/** It goes on, is gone all the same (`isGone`), or stands still. */
export function notSaved(failure: Failure, isGone: boolean): Event {
  const { kind, message: instead } = failure;
  if (isGone) return { type: 'suspended', saved: undefined, instead };
  if (kind === halted) return { type: 'lost', failure };
  return { type: 'not-suspended', instead, ...(kind === guestInUse.kind && { inUse: true }) };
}
