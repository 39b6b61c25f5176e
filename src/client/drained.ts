/** A builder that takes no new builds because somebody ran `drain`: for all who would get to its guest through the door. */
import type { DoorStatus } from '../supervisor/status/door-status.ts';
import { advice, ours } from '../system/advice.ts';
import { Exit, type Failure } from '../system/failure.ts';

/** Whether new connections are refused until a person says otherwise. */
export const isDrained = ({ door }: { readonly door?: Pick<DoorStatus, 'refusing'> | undefined }) =>
  door?.refusing === true;

/** What ends it. */
export const undrain = ours('undrain');

/** Nothing is broken, and it works again when a person wants it to: `temporary`. */
export const drained: Failure = {
  kind: 'drained',
  message: 'The builder is drained: it refuses new connections.',
  hint: advice`To accept new builds again: ${undrain}`,
  exit: Exit.temporary,
};
