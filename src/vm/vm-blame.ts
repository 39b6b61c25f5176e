/** Which lost starts speak against the VM program that ran them. */
import { Exit, type Failure } from '../system/failure.ts';

/** After so many starts in a row that were lost, what may be chance speaks against the program too. */
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
  const { vmFault, blames, recovery } = failure;
  const isLate = lost.attempt >= patientFor;
  if (vmFault === 'lasts') return 'lasts';
  // Each costs the whole time that a boot may take: not after every boot of the host again.
  if (vmFault === 'if-mute' && (lost.isMute || isLate)) return 'lasts';
  // The next guest would find none either; but one from an image without their drivers says the same.
  if (vmFault === 'devices') return 'passes';
  // What only a person can change is not tried thrice.
  if (vmFault === 'passes' && (isLate || recovery === 'give-up')) return 'passes';
  if (!lost.hasKept || isElsewhere(failure)) return undefined;
  return isLate || (recovery === 'give-up' && blames !== 'image') ? 'passes' : undefined;
}

/** No other program would change it. */
const isElsewhere = ({ vmFault, blames, exit }: Failure): boolean =>
  vmFault === 'none' || blames === 'leftover' || exit === Exit.config;
