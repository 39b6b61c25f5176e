import { didNotStart, wouldEndWithUs } from '../../src/client/background.ts';
import { doesNotStop } from '../../src/client/stop-daemon.ts';
import { keysLater } from '../../src/client/tell-guest.ts';
import { unidentifiedDaemon } from '../../src/client/unidentified-daemon.ts';
import { gaveUp } from '../../src/client/until-ready.ts';
import { buildsUnknown } from '../../src/client/builds-option.ts';
import { layoutOf } from '../../src/config/layout.ts';
import { nobody } from '../fakes/commands.ts';
import { linesOf } from './command-rig.ts';
import { tells } from './tell.ts';

const layout = layoutOf('/builder');

/** A daemon of which connections stay, and perhaps builds; the guest keeps running. */
const stillBusy = (loggedIn: number, builds?: number) => {
  const counts = { ...nobody, open: loggedIn, loggedIn };
  return {
    drain: () => counts,
    door: () => counts,
    suspend: () => ({ goes: false }),
    guest: () => (builds === undefined ? {} : { builds }),
  };
};

tells('client', {
  'The daemon': {
    'it does not start': () => didNotStart(layout),
    'it would end with the command': () => wouldEndWithUs,
    'its guest is to know new keys': () => keysLater,
    'it does not stop': () => doesNotStop(4711),
    'it has given up, for a reason of another release': () => gaveUp('It failed.'),
    'it does not say who it is': () => [
      unidentifiedDaemon(layout, 'daemon-silent'),
      unidentifiedDaemon(layout, 'daemon-does-not-stop'),
    ],
  },
  'Builds that are waited for': {
    'they do not end': () => linesOf(['suspend', '-t', '1'], { answers: stillBusy(2, 3) }),
    'only connections are left': () =>
      linesOf(['suspend', '-t', '1'], { answers: stillBusy(1, 0) }),
    'the guest does not answer': () => linesOf(['suspend', '-t', '1'], { answers: stillBusy(1) }),
    'the daemon does not answer': () => buildsUnknown,
  },
});
