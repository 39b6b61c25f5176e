/** What goes wrong between the daemon and a VM program that runs. */
import { layoutOf } from '../../src/config/layout.ts';
import { hyperkitStuck, noConsole } from '../../src/vm/hyperkit/hyperkit-control.ts';
import { noForward } from '../../src/vm/qemu/qemu-control.ts';
import { qmpClosed, qmpRefused, qmpSilent } from '../../src/vm/qemu/qmp.ts';
import {
  notFed,
  notHalted,
  notLoaded,
  notResumed,
  notSaved,
  notSavedWithin,
} from '../../src/vm/qemu/memory-failures.ts';
import { endless, vfkitAway, vfkitRefused, vfkitSilent } from '../../src/vm/vfkit/rest-api.ts';
import { vfkitFailed, vfkitStopped, vfkitStuck } from '../../src/vm/vfkit/vfkit-control.ts';
import type { States } from './tell.ts';

const layout = layoutOf('/builder');

export const qemuTalk: States = {
  'it refuses a command': () => qmpRefused({ desc: 'The command does not exist' }),
  'it refuses a command without a reason': () => qmpRefused({}),
  'it does not answer': () => qmpSilent('query-status', 5_000),
  'it is gone': () => qmpClosed('connection reset'),
  'we have hung up': () => qmpClosed(),
  'it has no port for the guest': () => noForward('Hub 0 (net0)'),
  'it cannot save the guest': () => notSaved('No space left on device'),
  'it cannot save the guest, and says nothing': () => notSaved(undefined),
  'what writes the file cannot be started': () =>
    notSaved('cat could not be started (no such file or directory)'),
  'it saves the guest too slowly': () => notSavedWithin(60_000),
  'the guest does not go on after that': () => notResumed(5_000),
  'the guest cannot be paused for that': () => notHalted('io-error'),
  'it does not take the saved guest': () => notLoaded('shutdown'),
  'the saved guest cannot be read': () => notFed('cat: read error: Input/output error'),
};

export const hyperkitTalk: States = {
  'it hangs before it has made its sockets': () => hyperkitStuck(layout),
  'it has no console': () => noConsole(layout),
};

export const vfkitTalk: States = {
  'it does not answer': () => vfkitSilent('/vm/state'),
  'it refuses a request': () => vfkitRefused(400, 'cannot stop'),
  'it refuses a request without a reason': () => vfkitRefused(500, ''),
  'it talks without end': () => vfkitRefused(undefined, endless),
  'it is gone': () => vfkitAway('connection refused'),
  'it is gone, and nothing says why': () => vfkitAway(''),
  'the framework has given up the VM': () => vfkitFailed,
  'the guest has shut down': () => vfkitStopped,
  'the VM does not start': () => vfkitStuck,
};
