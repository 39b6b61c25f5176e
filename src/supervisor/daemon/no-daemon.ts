import type { Layout } from '../../config/layout.ts';
import { isSetUp, notSetUp } from '../../config/not-set-up.ts';
import { Exit, type Failure } from '../../system/failure.ts';

/** Nobody is there who could be asked, or who has a guest. */
export const noDaemon = (layout: Pick<Layout, 'config' | 'root'>): Failure => ({
  kind: 'daemon-not-running',
  ...(isSetUp(layout)
    ? {
        message: 'The daemon is not running, so there is no guest.',
        hint: 'Start it: linuxkit-builder start',
      }
    : { message: notSetUp(layout).message, hint: notSetUp(layout).hint }),
  exit: Exit.unavailable,
});
