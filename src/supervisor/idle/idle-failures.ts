/** Why a guest is neither suspended nor tidied, in words. */
import { Exit, type Failure } from '../../system/failure.ts';
import { advice, ours } from '../../system/advice.ts';

/** It is not suspended. */
export const guestInUse: Failure = {
  kind: 'guest-in-use',
  message: 'The guest is in use, or does not say whether it is.',
  hint: 'It keeps running. If the suspend was forced, it is stopped instead.',
  exit: Exit.temporary,
};

export const noRoomForGuest: Failure = {
  kind: 'no-room',
  message: "The host's disk has no space for the suspended guest's file.",
  hint: 'The guest is stopped instead.',
  exit: Exit.temporary,
};

/** Somebody came while it was on its way out. */
export const guestWanted: Failure = {
  kind: 'guest-wanted',
  message: 'The guest is needed again, so it keeps running.',
  hint: 'It is suspended when it is idle again.',
  exit: Exit.temporary,
};

/** Nothing is collected or given back. */
export const guestNotReady: Failure = {
  kind: 'guest-not-ready',
  message: 'The guest is not ready, or its agent is not running.',
  hint: advice`Wait until it is ready, then try again: ${ours('wait')}`,
  exit: Exit.temporary,
};

export const guestBusy: Failure = {
  kind: 'guest-in-use',
  message: 'The guest is in use, or garbage collection is already running in it.',
  hint: advice`Try again later. To see who is using it: ${ours('status')}`,
  exit: Exit.temporary,
};

export const guestSilent: Failure = {
  kind: 'guest-silent',
  message: 'The guest did not report the result of the garbage collection.',
  hint: advice`To see why: ${ours('status')}, or ${ours('console')}`,
  exit: Exit.temporary,
};
