import type { Layout } from '../../config/layout.ts';
import { isSetUp, notSetUp } from '../../config/not-set-up.ts';
import { Exit, type Failure } from '../../system/failure.ts';
import { advice, ours } from '../../system/advice.ts';

/** Nobody is there who could be asked, or who has a guest. */
export const noDaemon = (layout: Pick<Layout, 'config' | 'root'>): Failure => ({
  ...(isSetUp(layout) ? notStarted : notSetUp(layout)),
  kind: 'daemon-not-running',
  exit: Exit.unavailable,
});

const notStarted = {
  message: 'The daemon is not running, so there is no guest.',
  hint: advice`Start it: ${ours('start')}`,
};
