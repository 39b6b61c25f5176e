/**
 * The states that QEMU can be in (`RunState` in QEMU's qapi/run-state.json), what each means for a builder, and what is done about it:
 * the only place that decides by them.
 */
import { guestPanicked } from '../domain/guest-panicked.ts';
import { Exit, type Failure } from '../system/failure.ts';
import { advice, ours, type Text } from '../system/advice.ts';

/**
 * `runs`: nothing. `left`: somebody works with it, or QEMU itself; it is waited for as long as that takes. `disk`: the host's disk failed
 * at a read or a write. `woken`: it is told to wake up. `lost`: the guest will not run again.
 */
type Row =
  | { readonly treatment: 'runs' }
  | { readonly treatment: 'left' | 'disk' | 'woken'; readonly sentence: Text }
  | { readonly treatment: 'lost'; readonly failure: Failure };

const left = (sentence: Text) => ({ treatment: 'left', sentence }) as const;
const lost = (failure: Failure) => ({ treatment: 'lost', failure }) as const;

const goOn = advice`Enter \`cont\` in a QEMU monitor to resume it, or run ${ours('restart')}.`;

/** By QEMU's own names. */
export const runStates = {
  running: { treatment: 'runs' },
  paused: left(advice`Paused: a user paused the VM. ${goOn}`),
  debug: left('Paused: a debugger stopped the VM. It resumes when the debugger continues.'),
  prelaunch: left(advice`Paused: QEMU was started with -S. ${goOn}`),
  preconfig: left(
    advice`Paused: QEMU was started with --preconfig. Enter \`x-exit-preconfig\` in a QEMU monitor to resume it, or run ${ours('restart')}.`,
  ),
  inmigrate: left('Paused: the VM waits for a saved state to load (-incoming).'),
  'finish-migrate': left(
    "Paused: the VM's state is being saved or migrated. It resumes by itself.",
  ),
  postmigrate: left(
    advice`Paused: a user saved or migrated the VM's state, so it may be running elsewhere. To restart it here, run ${ours('restart')}.`,
  ),
  'save-vm': left("Paused: the VM's state is being saved. It resumes by itself."),
  'restore-vm': left('Paused: a saved state of the VM is being loaded. It resumes by itself.'),
  colo: left(
    'Paused: the VM is being copied to another one at a checkpoint. It resumes by itself.',
  ),
  suspended: {
    treatment: 'woken',
    sentence: 'Paused: the guest went to sleep. It is being woken up.',
  },
  'io-error': {
    treatment: 'disk',
    sentence:
      "Paused: a read or write on the host's disk failed. It is retried up to three times; no data is lost so far.",
  },
  'internal-error': lost({
    kind: 'accelerator-broken',
    message: 'QEMU stopped the guest because of an internal error.',
    hint: advice`The next accelerator is tried. To choose one: ${ours('configure', '--accelerator NAME')}`,
    exit: Exit.unavailable,
    deaf: 'dead',
  }),
  'guest-panicked': lost(guestPanicked()),
  watchdog: lost({
    kind: 'vm-watchdog',
    message: "The VM's watchdog stopped the guest because it was frozen.",
    hint: advice`See the guest's last lines: ${ours('console')}`,
    exit: Exit.unavailable,
    deaf: 'dead',
  }),
  shutdown: lost({
    kind: 'guest-powered-off',
    message: 'The guest shut down by itself, but QEMU is still running.',
    hint: advice`See the guest's last lines: ${ours('console')}`,
    exit: Exit.unavailable,
    blames: 'image',
    deaf: 'dead',
  }),
} as const satisfies Readonly<Record<string, Row>>;

/** As QEMU names it. */
export type RunState = keyof typeof runStates;

/** A state in which the guest stands still and may go on. */
export type StillState = {
  [S in RunState]: (typeof runStates)[S]['treatment'] extends 'left' | 'disk' | 'woken' ? S : never;
}[RunState];

/** The state that QEMU names; undefined for one that a newer QEMU has. */
export const runStateOf = (name: unknown): RunState | undefined =>
  typeof name === 'string' && Object.hasOwn(runStates, name) ? (name as RunState) : undefined;

/** What it means, and what to do. */
export const rowOf = (state: RunState): Row => runStates[state];
