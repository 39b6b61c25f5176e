/**
 * The states that QEMU can be in (`RunState` in QEMU's qapi/run-state.json), what each means for a builder, and what is done about it:
 * the only place that decides by them.
 */
import { Exit, type Failure } from '../system/failure.ts';

/**
 * `runs`: nothing. `left`: somebody works with it, or QEMU itself; it is waited for as long as that takes. `disk`: the host's disk failed
 * at a read or a write. `woken`: it is told to wake up. `lost`: the guest will not run again.
 */
type Row =
  | { readonly treatment: 'runs' }
  | { readonly treatment: 'left' | 'disk' | 'woken'; readonly sentence: string }
  | { readonly treatment: 'lost'; readonly failure: Failure };

const left = (sentence: string) => ({ treatment: 'left', sentence }) as const;
const lost = (failure: Failure) => ({ treatment: 'lost', failure }) as const;

const goOn =
  'It goes on with `cont` on a monitor of QEMU, or begins anew with: linuxkit-builder restart.';

export const runStates = {
  running: { treatment: 'runs' },
  paused: left(`Paused: somebody has halted the VM. ${goOn}`),
  debug: left(`Paused: a debugger holds the VM. It goes on when the debugger lets it.`),
  prelaunch: left(`Paused: the VM program was told to wait before it begins (-S). ${goOn}`),
  preconfig: left(
    'Paused: the VM program was told to wait for its configuration (--preconfig). It goes on with `x-exit-preconfig` on a monitor of QEMU, or begins anew with: linuxkit-builder restart.',
  ),
  inmigrate: left('Paused: the VM waits for a state that it is to go on from (-incoming).'),
  'finish-migrate': left("Paused: the VM's state is being saved or moved. It goes on by itself."),
  postmigrate: left(
    "Paused: the VM's state was saved or moved by somebody, and may go on elsewhere. To begin anew here: linuxkit-builder restart.",
  ),
  'save-vm': left("Paused: the VM's state is being saved. It goes on by itself."),
  'restore-vm': left('Paused: an earlier state of the VM is being read. It goes on by itself.'),
  colo: left('Paused: the VM is copied to another one at a checkpoint. It goes on by itself.'),
  suspended: {
    treatment: 'woken',
    sentence: 'Paused: the guest has put itself to sleep. It is being woken.',
  },
  'io-error': {
    treatment: 'disk',
    sentence:
      "Paused: the host's disk failed at a read or a write, which is tried again, three times in all. No write is lost so far.",
  },
  'internal-error': lost({
    kind: 'accelerator-broken',
    message: 'QEMU met an error of its own and cannot go on with the guest (internal-error).',
    hint: 'The next way to run it is tried; --accelerator chooses one.',
    exit: Exit.unavailable,
    deaf: 'dead',
  }),
  'guest-panicked': lost({
    kind: 'guest-panicked',
    message: "The guest's kernel panicked, as it told QEMU.",
    hint: 'The lines before it are in: linuxkit-builder console.',
    exit: Exit.unavailable,
    blames: 'image',
    deaf: 'frozen',
    isIncident: true,
  }),
  watchdog: lost({
    kind: 'vm-watchdog',
    message: 'A watchdog of the VM found that the guest hangs, and halted it.',
    hint: 'What the guest did last is in: linuxkit-builder console.',
    exit: Exit.unavailable,
    deaf: 'dead',
  }),
  shutdown: lost({
    kind: 'guest-powered-off',
    message: 'The guest has shut down by itself, and the VM program stays.',
    hint: 'What the guest did last is in: linuxkit-builder console.',
    exit: Exit.unavailable,
    blames: 'image',
    deaf: 'dead',
  }),
} as const satisfies Readonly<Record<string, Row>>;

export type RunState = keyof typeof runStates;

/** A state in which the guest stands still and may go on. */
export type StillState = {
  [S in RunState]: (typeof runStates)[S]['treatment'] extends 'left' | 'disk' | 'woken' ? S : never;
}[RunState];

/** The state that QEMU names; undefined for one that a newer QEMU has. */
export const runStateOf = (name: unknown): RunState | undefined =>
  typeof name === 'string' && Object.hasOwn(runStates, name) ? (name as RunState) : undefined;

export const rowOf = (state: RunState): Row => runStates[state];
