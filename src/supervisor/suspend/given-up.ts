/** What is told where guests are not suspended any more, since it has failed too often. */
import type { Status } from '../status/status-schema.ts';
import { advice, asSentence, ours, type Text } from '../../system/advice.ts';

/** For a person: what it means, why, and how it is tried again. */
export const describeGivenUp = ({ why, until }: NonNullable<Status['suspendGivenUp']>): Text =>
  advice`The guest is stopped instead of suspended, because suspending failed twice in a row. ${asSentence(why)} It is tried again ${until === undefined ? 'after an upgrade of the VM program or of the operating system' : `after ${until.slice(0, 16)}Z`}. To try again sooner: ${ours('verdicts', '--clear')}`;
