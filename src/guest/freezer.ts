/** Has a guest hold its breath for the file that it is put into, and breathe again: its disk is whole in between. */
import { Exit, Failed, failureOf, type Failure } from '../system/failure.ts';
import type { GuestAgent } from './agent.ts';

type Agent = Pick<GuestAgent, 'exec' | 'setTime'>;

/** Whoever froze it may die: then the guest thaws by itself. Its time stands still while it is a file. */
const thawsAfterS = 60;
const timer = '/run/linuxkit-builder.thaw';

/** What is written is on the disk, what was deleted is given back, and no memory holds copies of the disk. */
const settle = 'sync; fstrim /nix; echo 3 > /proc/sys/vm/drop_caches';
/**
 * The timer lets go of our channel first: the agent waits for whoever holds that. Not the agent's own freeze: an agent that froze
 * refuses to set the clock (qga/commands.c).
 */
const freeze = `(sleep ${thawsAfterS}; fsfreeze --unfreeze /nix) </dev/null >/dev/null 2>&1 &
echo $! >${timer}; fsfreeze --freeze /nix`;
/** The timer of this freeze would end the next one. */
const thaw = `read -r pid <${timer} && kill $pid; rm -f ${timer}; fsfreeze --unfreeze /nix`;

const settleMs = 30_000;
const freezeMs = 10_000;

/** Has it write what it holds back. What it cannot do costs room, no more. */
export async function settleGuest(agent: Agent, signal: AbortSignal): Promise<void> {
  try {
    await agent.exec('/bin/sh', ['-c', settle], { signal, timeoutMs: settleMs });
  } catch (error) {
    if (signal.aborted || failureOf(error).kind !== 'agent-silent') throw error;
  }
}

/** From now on nothing writes to its disk. Failed where it does not obey. */
export async function freezeGuest(agent: Agent): Promise<void> {
  await obey(agent, freeze);
}

/** It goes on where it was, and knows what time it is. Rejects where it does not answer. */
export async function wakeGuest(agent: Agent, signal: AbortSignal): Promise<void> {
  await agent.setTime(undefined, signal);
  await thawGuest(agent, signal);
}

/** Its disk goes on. */
export const thawGuest = (agent: Agent, signal?: AbortSignal): Promise<void> =>
  obey(agent, thaw, signal);

async function obey(agent: Agent, script: string, signal?: AbortSignal): Promise<void> {
  const timeoutMs = freezeMs;
  const options = signal === undefined ? { timeoutMs } : { signal, timeoutMs };
  const { code, stderr } = await agent.exec('/bin/sh', ['-c', script], options);
  if (code !== 0) throw new Failed(refused(stderr));
}

const refused = (why: string): Failure => ({
  kind: 'guest-not-frozen',
  message: `The guest could not halt its disk, or let it go on: ${why.trim() || 'it gives no reason'}.`,
  hint: 'It is stopped instead.',
  exit: Exit.unavailable,
});
