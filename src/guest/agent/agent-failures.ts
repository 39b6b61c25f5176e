/** What can be wrong with a guest's agent, for people. */
import { Exit, type Failure } from '../../system/failure.ts';
import { fieldsOf } from '../../system/socket/json-lines.ts';
import { quoted } from '../../system/plain-text.ts';

export const agentSilent = (command: string, timeoutMs: number): Failure => ({
  kind: 'agent-silent',
  message: `The guest agent did not answer (${command}) within ${timeoutMs / 1000} s.`,
  hint: 'The guest is busy or stuck: linuxkit-builder console shows what it did last.',
  exit: Exit.unavailable,
});

export const agentAway = (why: string): Failure => ({
  kind: 'agent-away',
  message: `The guest agent's channel is closed: ${why}.`,
  hint: 'The VM is not running, or ends: linuxkit-builder status.',
  exit: Exit.unavailable,
});

export const agentRefused = (error: unknown): Failure => ({
  kind: 'agent-refused',
  message: `The guest agent refused: ${quoted(fieldsOf(error)['desc']) ?? 'it gives no reason'}.`,
  hint: 'An image of your own must allow the commands of docs/guest-contract.md, "Agent".',
  exit: Exit.unavailable,
});
