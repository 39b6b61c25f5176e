/** Asks whoever answers at the other end of a command whether it is a nix daemon. */
import { askNix } from '../../guest/login/ask-nix.ts';
import { beginningIn, nixAnswer } from '../../guest/login/nix-question.ts';
import { isRefusedRoot } from '../../system/process/become-root.ts';
import type { CommandResult } from '../../system/process/child.ts';
import { inMarks } from '../../system/plain-text.ts';
import type { Clock } from '../../system/time/clock.ts';
import { blankLine, noAnswerIn, printsBefore } from './ssh-verdicts.ts';

/** From the call to the answer: a login and two questions, also in a guest that is emulated. */
const timeoutMs = 30_000;
/** An answer of a nix daemon is a few dozen bytes: what is longer is somebody else's. */
const mostBytes = 64 * 1024;

/** A nix daemon answers; or why none did, or what is printed before its answer. */
export type Greeted = 'nix' | 'late' | Printed | Declined | CommandResult;
interface Printed {
  readonly printed: string;
}
interface Declined {
  readonly refused: string;
}

/** It answered, and something was before the answer. */
export const isPrinted = (answer: Greeted): answer is Printed =>
  typeof answer === 'object' && 'printed' in answer;

/** Before the daemon's answer there is nothing, or the one word that Nix has ssh say on this machine. */
function beforeIt(bytes: Buffer): Printed | undefined {
  const text = bytes.toString('utf8').replace(/^started\n/m, '');
  return text === '' ? undefined : { printed: inMarks(text.trim().split('\n')[0]) ?? blankLine };
}

/** Asks whoever that command leads to. */
export function greet(
  argv: readonly string[],
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<Greeted> {
  let bytes = Buffer.alloc(0);
  const take = (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]).subarray(0, mostBytes);
    return answerIn(bytes);
  };
  return askNix(argv, { take, timeoutMs, clock, signal });
}

function answerIn(bytes: Buffer): 'nix' | Printed | Declined | undefined {
  const begins = beginningIn(bytes);
  if (begins < 0) return undefined;
  const answer = nixAnswer(bytes.subarray(begins));
  if (answer.kind === 'refused') return { refused: answer.why };
  return answer.kind === 'answered' ? (beforeIt(bytes.subarray(0, begins)) ?? 'nix') : undefined;
}

/** sudo is not there, or says why it does not let this user be root: that it would ask for a password counts too. */
export const sudoRefused = (answer: Greeted): boolean =>
  typeof answer === 'object' &&
  'ended' in answer &&
  (answer.ended.kind === 'not-started' || isRefusedRoot(answer.stderr));

/** Why no daemon answered, in half a sentence without its full stop. */
export function lastWords(answer: Exclude<Greeted, 'nix'>): string {
  if (answer === 'late') return noAnswerIn(timeoutMs / 1000);
  if ('printed' in answer) return printsBefore(answer.printed);
  if ('refused' in answer) return answer.refused.replace(/\.$/, '');
  const { ended, stderr } = answer;
  // They may be the guest's: what its login says on its stderr comes here too.
  const last = inMarks(stderr.trim().split('\n').at(-1));
  if (last !== undefined) return last;
  return ended.kind === 'exited' ? `exit code ${ended.code}` : ended.kind;
}
