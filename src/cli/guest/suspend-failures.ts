/** Why `suspend` and `resume` do not do it, for people. */
import { advice, ours } from '../../system/advice.ts';
import { Exit, type Failure } from '../../system/failure.ts';

export const somebodyIsIn = (who: string): Failure => ({
  kind: 'guest-in-use',
  message: `${who}, so the guest keeps running.`,
  hint: advice`To wait until they are done: ${ours('suspend')}. To interrupt them: ${ours('suspend', '--now --force')}`,
  exit: Exit.temporary,
});

export const housekeeping: Failure = {
  kind: 'guest-in-use',
  message: 'A `gc` or `trim` is still running, so the guest keeps running.',
  hint: advice`Try again when that is done: ${ours('suspend')}. To interrupt it: ${ours('suspend', '--now --force')}`,
  exit: Exit.temporary,
};

export const guestDoesNotSay: Failure = {
  kind: 'guest-not-ready',
  message: 'The guest does not say whether builds are running in it, so it keeps running.',
  hint: advice`Its agent is not running, or does not answer: see ${ours('status')}. To stop the guest anyway: ${ours('suspend', '--now --force')}`,
  exit: Exit.temporary,
};

export const stillResuming: Failure = {
  kind: 'guest-resuming',
  message: 'The guest is still being resumed, so it keeps running.',
  hint: advice`To wait until it is back: ${ours('wait')}. Then try again: ${ours('suspend')}`,
  exit: Exit.temporary,
};

export const buildCame: Failure = {
  kind: 'guest-wanted',
  message: 'A build is waiting for the guest, so it keeps running.',
  hint: advice`Try again when the build is done: ${ours('suspend')}`,
  exit: Exit.temporary,
};

export const doesNotGo: Failure = {
  kind: 'guest-does-not-go',
  message: 'The guest did not shut down within 60 s.',
  hint: advice`To see why: ${ours('status')}, or ${ours('console')}`,
  exit: Exit.temporary,
};
