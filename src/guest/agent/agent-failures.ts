/** What can be wrong with a guest's agent, for people. */
import { Exit, type Failure } from '../../system/failure.ts';
import { fieldsOf } from '../../system/socket/json-lines.ts';
import { inMarks } from '../../system/plain-text.ts';

/** `timeoutMs`: how long it was waited for. */
export const agentSilent = (command: string, timeoutMs: number): Failure => ({
  kind: 'agent-silent',
  message: `The guest agent did not answer ${command} within ${timeoutMs / 1000} s.`,
  hint: "The guest is busy or frozen. See the guest's last lines: linuxkit-builder console",
  exit: Exit.unavailable,
});

/** `why`: half a sentence. */
export const agentAway = (why: string): Failure => ({
  kind: 'agent-away',
  message: `The connection to the guest agent is closed: ${why}.`,
  hint: 'The VM is not running or is stopping. See: linuxkit-builder status',
  exit: Exit.unavailable,
});

/** `error`: the value of that name in its answer, whatever it is. */
export const agentRefused = (error: unknown): Failure =>
  refusedAs(inMarks(fieldsOf(error)['desc']) ?? 'no reason given');

/** A guest that tells its time does so in nanoseconds. */
export const agentNoTime = (): Failure => refusedAs('its answer is not a time');

const refusedAs = (why: string): Failure => ({
  kind: 'agent-refused',
  message: `The guest agent refused a request: ${why}.`,
  hint: 'If this is an image of your own, it must allow the commands listed in docs/guest-contract.md, "Agent".',
  exit: Exit.unavailable,
});

/** While an answer was awaited. */
export const connectionGone = (): Failure => agentAway('the connection was lost');
