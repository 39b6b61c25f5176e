/** Why ssh is not done with its configuration in time, as far as its files show, for people. */
import { notRegular } from '../../system/files/others-files.ts';
import { askMs } from './ask-ssh.ts';
import { runsCommand, type ConfigLine } from './config-lines.ts';
import { alias, notGuest } from './stanza.ts';
import { linesHere, describeLines, type WhoseSsh } from './where-set.ts';

/** What is in the way of ssh, and what mends it. */
interface Unfinished {
  readonly what: string;
  readonly remedy: string;
}

/** Of a configuration as it is now. */
export function unfinishedIn(asked: WhoseSsh): Unfinished {
  const { lines, unread } = linesHere(asked);
  const [stuck] = [...unread].flatMap(([file, why]) => (why === notRegular ? [file] : []));
  // As is advised: there ssh runs nothing for the guest.
  const isSpared = ({ rest }: ConfigLine) => rest.includes(notGuest);
  const commands = lines.filter((line) => runsCommand(line) && !isSpared(line));
  return unfinishedFault(describeLines(commands), stuck);
}

/** `commands`: the lines of each Match that runs one, such as `FILE, line 3`; `stuck`: a file that is read without end, such as a fifo. */
export function unfinishedFault(commands: string, stuck: string | undefined): Unfinished {
  const what = `ssh did not finish reading its configuration within ${askMs / 1000} s`;
  if (commands !== '')
    return {
      what: `${what}, because it waits for a command of \`Match exec\` (${commands})`,
      remedy: `Put \`${notGuest}\` before \`exec\` in that line, so that ssh does not run the command for ${alias}, or remove the line.`,
    };
  if (stuck !== undefined)
    return {
      what: `${what}, because ${stuck} is not a regular file`,
      remedy: 'Remove the Include that names that file.',
    };
  return { what, remedy: `To see what it waits for: ssh -vv -G ${alias}` };
}
