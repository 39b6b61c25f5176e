/** What can be wrong with a guest's agent, for people. */
import { Exit, Failed, type Failure } from '../../system/failure.ts';
import { fieldsOf } from '../../system/socket/json-lines.ts';
import { inMarks } from '../../system/plain-text.ts';
import { advice, ours } from '../../system/advice.ts';

const kinds = { silent: 'agent-silent', away: 'agent-away', refused: 'agent-refused' } as const;

/** `timeoutMs`: how long it was waited for. */
export const agentSilent = (command: string, timeoutMs: number): Failure => ({
  kind: kinds.silent,
  message: `The guest agent did not answer ${command} within ${timeoutMs / 1000} s.`,
  hint: advice`The guest is busy or frozen. See the guest's last lines: ${ours('console')}`,
  exit: Exit.unavailable,
  unanswered: true,
});

/** `why`: half a sentence. */
export const agentAway = (why: string): Failure => ({
  kind: kinds.away,
  message: `The connection to the guest agent is closed: ${why}.`,
  hint: advice`The VM is not running or is stopping. See: ${ours('status')}`,
  exit: Exit.unavailable,
  unanswered: true,
});

/** `error`: the value of that name in its answer, whatever it is. */
export const agentRefused = (error: unknown): Failure =>
  refusedAs(inMarks(fieldsOf(error)['desc']) ?? 'no reason given');

/** A guest that tells its time does so in nanoseconds. */
export const agentNoTime = (): Failure => refusedAs('its answer is not a time');

const refusedAs = (why: string): Failure => ({
  kind: kinds.refused,
  message: `The guest agent refused a request: ${why}.`,
  hint: 'If this is an image of your own, it must allow the commands listed in docs/guest-contract.md, "Agent".',
  exit: Exit.unavailable,
});

/** It may have heard, or is not there yet: a refusal would be an answer. */
export const isUnanswered = (thrown: unknown): boolean =>
  thrown instanceof Failed && thrown.failure.unanswered === true;

export const isSilent = (thrown: unknown): boolean => isOf(thrown, kinds.silent);
export const isRefusal = (thrown: unknown): boolean => isOf(thrown, kinds.refused);

const isOf = (thrown: unknown, kind: string): boolean =>
  thrown instanceof Failed && thrown.failure.kind === kind;

/** While an answer was awaited. */
export const connectionGone = (): Failure => agentAway('the connection was lost');
