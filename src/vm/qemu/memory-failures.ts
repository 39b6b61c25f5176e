/** What can go wrong between a guest in memory and the same as a file. */
import { advice, asSentence, ours } from '../../system/advice.ts';
import { Exit, type Failure } from '../../system/failure.ts';
import { quoted } from '../../system/plain-text.ts';

/** `why`: the words of QEMU, or of what writes the file, whatever they are. */
export const notSaved = (why: unknown): Failure => ({
  kind: 'guest-not-saved',
  message: `QEMU could not suspend the guest: ${asSentence(quoted(why) ?? 'no reason given')}`,
  hint: 'Check that the disk of the state directory has enough free space.',
  exit: Exit.unavailable,
  suspendFault: true,
});

/** The file took longer than `ms`. */
export const notSavedWithin = (ms: number): Failure => ({
  ...notSaved(`it took longer than ${Math.round(ms / 1000)} s`),
  hint: advice`The disk of the state directory is too slow or too busy. To stop an unused guest instead: ${ours('configure', '--idle stop')}`,
});

/** A guest that was halted to be saved, and did not go on in `ms`. */
export const notResumed = (ms: number): Failure =>
  halted(`QEMU did not resume it within ${Math.round(ms / 1000)} s.`);

/** `why`: what QEMU said or did. */
export const halted = (why: string): Failure => ({
  kind: 'guest-halted',
  message: `The guest was paused to be suspended and cannot be resumed: ${why}`,
  hint: 'The guest is stopped and booted again.',
  exit: Exit.unavailable,
  deaf: 'dead',
  suspendFault: true,
});

/** `state`: QEMU's own name for it, in place of `paused`. */
export const notHalted = (state: unknown): Failure => ({
  kind: 'guest-not-halted',
  message: `Cannot pause the guest to suspend it: QEMU is in state ${quoted(state) ?? 'unknown'}.`,
  hint: advice`See: ${ours('status')}`,
  exit: Exit.temporary,
});

/** `state`: QEMU's own name for it. */
export const notLoaded = (state: unknown): Failure =>
  notLoadedFor(`it is in state ${quoted(state) ?? 'unknown'}.`);

/** `why`: of what read the file. */
export const notFed = (why: string): Failure =>
  notLoadedFor(asSentence(quoted(why) ?? 'no reason given'));

const notLoadedFor = (why: string): Failure => ({
  kind: 'guest-not-loaded',
  message: `QEMU could not load the suspended guest: ${why}`,
  hint: 'The guest is booted instead.',
  exit: Exit.unavailable,
  suspendFault: true,
});
