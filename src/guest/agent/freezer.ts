/** Has a guest hold its breath for the file that it is put into, and breathe again: its disk is whole in between. */
import type { Clock } from '../../system/time/clock.ts';
import { within } from '../../system/time/deadline.ts';
import { Exit, Failed, type Failure } from '../../system/failure.ts';
import { inMarks } from '../../system/plain-text.ts';
import type { GuestAgent } from './agent.ts';
import { isSilent, isUnanswered } from './agent-failures.ts';

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
const freeze = `(sleep ${thawsAfterS}; fsfreeze --unfreeze /nix; rm -f ${timer}) </dev/null >/dev/null 2>&1 &
echo $! >${timer} && fsfreeze --freeze /nix`;
/** The timer of this freeze would end the next one. Without one it has thawed: whoever asks may not have heard the answer. */
const thaw = `[ -e ${timer} ] || exit 0
fsfreeze --unfreeze /nix || [ ! -e ${timer} ] || exit 1
read -r pid <${timer} && kill $pid; rm -f ${timer}`;

const askAgainMs = 100;
const settleMs = 30_000;
const freezeMs = 10_000;
/** One that goes on answers within 0.4 s, on a busy machine later. */
const releaseMs = 10_000;

/** Has it write what it holds back. What it cannot do costs room, no more. */
export async function settleGuest(agent: Agent, signal: AbortSignal): Promise<void> {
  try {
    await agent.exec('/bin/sh', ['-c', settle], { signal, timeoutMs: settleMs });
  } catch (error) {
    if (signal.aborted || !isSilent(error)) throw error;
  }
}

/** From now on nothing writes to its disk. Failed where it does not obey. */
export async function freezeGuest(agent: Agent): Promise<void> {
  await obey(agent, freeze);
}

/**
 * It goes on where it was, and knows what time it is. A guest that was just woken may be slow to answer, and is asked until it does or
 * the signal aborts. Rejects where it refuses.
 */
export async function wakeGuest(agent: Agent, clock: Clock, signal: AbortSignal): Promise<void> {
  // The agent sets the clock at once, then waits for a program of its own (qga/commands.c, hwclock): beside that the disk can go on.
  await Promise.all([
    untilHeard(() => thawGuest(agent, signal), clock, signal),
    untilHeard(() => agent.setTime(undefined, signal), clock, signal),
  ]);
}

/**
 * It was not put into a file after all, and may have stood still for it: its clock is right, and its disk goes on. What it does not hear
 * in time is left to whoever watches its clock, and to the timer of its disk.
 */
export async function releaseGuest(agent: Agent, clock: Clock): Promise<void> {
  const release = async (inTime: AbortSignal) => {
    const asked = [() => agent.setTime(undefined, inTime), () => thawGuest(agent, inTime)];
    // It may refuse the one and do the other.
    for (const ask of asked) await untilHeard(ask, clock, inTime).catch(() => undefined);
  };
  const late = () => notFrozen('');
  await within(release, { clock, timeoutMs: releaseMs, late }).catch(() => undefined);
}

async function untilHeard(ask: () => Promise<void>, clock: Clock, signal: AbortSignal) {
  for (;;)
    try {
      return await ask();
    } catch (error) {
      if (signal.aborted || !isUnanswered(error)) throw error;
      await clock.sleep(askAgainMs, signal);
    }
}

/** Its disk goes on. */
const thawGuest = (agent: Agent, signal?: AbortSignal): Promise<void> => obey(agent, thaw, signal);

async function obey(agent: Agent, script: string, signal?: AbortSignal): Promise<void> {
  const timeoutMs = freezeMs;
  const options = signal === undefined ? { timeoutMs } : { signal, timeoutMs };
  const { code, stderr } = await agent.exec('/bin/sh', ['-c', script], options);
  if (code !== 0) throw new Failed(notFrozen(stderr));
}

/** `why`: what the guest's own program says, which may be nothing. */
export const notFrozen = (why: string): Failure => ({
  kind: 'guest-not-frozen',
  message: `The guest could not freeze or unfreeze its disk: ${inMarks(why) ?? 'no reason given'}.`,
  hint: 'The guest is shut down instead.',
  exit: Exit.unavailable,
});
