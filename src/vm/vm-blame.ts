/** Which lost starts speak against the VM program that ran them. */
import { Exit, type Failure } from '../system/failure.ts';

/** These stay as they are with this program here, whatever is done again. */
const always: ReadonlySet<string> = new Set([
  'vm-forbidden',
  'vm-usage',
  'vm-aborted',
  'vm-kernel-refused',
  'vm-path-too-long',
  'vm-would-refuse',
  'vm-lacks-part',
  'vm-no-forward',
  'no-accelerator',
  'program-missing',
]);
/** The guest finds none of the program's devices, and would not the next time; but an image without their drivers says the same. */
const ofDevices: ReadonlySet<string> = new Set(['guest-disk-missing', 'guest-network-missing']);
/** These may pass; not for ever. */
const often: ReadonlySet<string> = new Set([
  'vm-error',
  'vm-stuck',
  'vm-crashed',
  'vm-refused',
  'vm-no-console',
  'vm-slow-start',
  'vm-limit',
  'vm-exited',
  'vm-network-away',
  'network-exited',
  'network-silent',
  'program-broken',
]);
/** The disk is the same with every program. */
const ofDisk: ReadonlySet<string> = new Set([
  'disk-unreadable',
  'disk-not-ours',
  'disk-too-large',
  'disk-locked',
  'host-disk-failed',
  'host-disk-full',
  'guest-disk-foreign',
  'guest-disk-broken',
]);
const patientFor = 3;

interface LostWith {
  /** How many starts in a row were lost. */
  readonly attempt: number;
  /** The guest has said nothing at all. */
  readonly isMute: boolean;
  /** The builder's guest has been ready with another program, which is here. */
  readonly hasKept: boolean;
}

/**
 * `lasts`: it is the same after the next boot of the host. `passes`: it need not be. Undefined: the program is not to blame. Who leaves
 * a program that is known to work is in doubt for less. Pure.
 */
export function blameOf(failure: Failure, lost: LostWith): 'lasts' | 'passes' | undefined {
  const { kind, recovery } = failure;
  const isLate = lost.attempt >= patientFor;
  if (always.has(kind)) return 'lasts';
  // Each costs the whole time that a boot may take: not after every boot of the host again.
  if (kind === 'boot-timed-out' && (lost.isMute || isLate)) return 'lasts';
  if (ofDevices.has(kind)) return 'passes';
  // What only a person can change is not tried thrice.
  if (often.has(kind) && (isLate || recovery === 'give-up')) return 'passes';
  if (!lost.hasKept || isElsewhere(failure)) return undefined;
  return isLate || (recovery === 'give-up' && failure.blames !== 'image') ? 'passes' : undefined;
}

/** No other program would change it. */
const isElsewhere = ({ kind, blames, exit }: Failure): boolean =>
  ofDisk.has(kind) || blames === 'leftover' || exit === Exit.config;
