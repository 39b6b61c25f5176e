import { Exit, type Failure } from '../../system/failure.ts';

/** Nobody is there who could be asked, or who has a guest. */
export const noDaemon: Failure = {
  kind: 'daemon-not-running',
  message: 'No daemon runs, so there is no guest.',
  hint: 'Start it: linuxkit-builder start.',
  exit: Exit.unavailable,
};
