/** `suspend`, `resume`: the guest goes until it is needed, and comes back before that. */
import type { Layout } from '../../config/layout.ts';
import { type Answers, type Busy, forced } from '../../supervisor/daemon/control-protocol.ts';
import { noDaemon } from '../../supervisor/daemon/no-daemon.ts';
import type { Status } from '../../supervisor/status/status-schema.ts';
import { Failed } from '../../system/failure.ts';
import { layoutFor, type CliContext, type DirectoryOption } from '../../command/context.ts';
import { saying } from '../../command/announce-slow.ts';
import { describeBusy, type EndOptions } from '../../client/builds-option.ts';
import { afterBuilds } from '../../client/wait-for-builds.ts';
import { advice, ours } from '../../system/advice.ts';
import { traitsOf } from '../../supervisor/lifecycle/phases.ts';
import { isYes } from '../../command/ask.ts';
import { ask, type DoorHeld } from '../../supervisor/daemon/ask-daemon.ts';
import {
  somebodyIsIn,
  housekeeping,
  guestDoesNotSay,
  stillResuming,
  buildCame,
  doesNotGo,
} from './suspend-failures.ts';
import { until } from '../../system/time/wait.ts';
import { findStatus } from '../../client/found.ts';

/** `suspend`: waits for builds, then has the guest go; the next build brings it back. */
export async function runSuspend(options: SuspendOptions, context: CliContext): Promise<void> {
  const layout = layoutFor(options, context, 'ask');
  const before = await livingStatus(layout, context);
  if (traitsOf(before.phase).builds === 'on-demand')
    return context.out(awayWords(before, 'already'));
  if (before.phase === 'resuming')
    await saying(untilResumed, context, () => untilBack(layout, context));
  const atLimit =
    options.force === true ? 'suspending the guest anyway' : 'the guest keeps running';
  const waiting = { ...options, atLimit };
  await afterBuilds(layout, waiting, context, (door) =>
    send(layout, { ...options, door }, context),
  );
  const after = await saying('Waiting for the guest to be suspended or to stop.', context, () =>
    untilGone(layout, context),
  );
  context.out(after === undefined ? cameBack : awayWords(after));
}

/** Said if that takes long: the build for which the guest is brought back runs before it is suspended again. */
export const untilResumed = 'Waiting for the guest to be resumed.';

/** How a guest is away, and what brings it back. */
const awayWords = ({ away }: Pick<Status, 'away'>, already?: 'already'): string => {
  const is = already === undefined ? 'is' : 'is already';
  return away?.saved === undefined
    ? `The guest ${is} stopped. The next build will start it.`
    : `The guest ${is} suspended. The next build will resume it.`;
};

const cameBack = 'The guest is running again, because a new connection needed it.';

export interface SuspendOptions extends DirectoryOption, EndOptions {
  readonly force?: boolean;
}

/** Has the daemon send the guest away; where somebody is in it, a person is asked first. Failed where it stays. */
async function send(
  layout: Layout,
  { force = false, door }: Pick<SuspendOptions, 'force'> & { readonly door?: DoorHeld | undefined },
  context: CliContext,
): Promise<void> {
  const { goes, inUse, isSilent, isComing, isHousekeeping } = await answerTo(
    layout,
    { force, door },
    context,
  );
  if (goes === true) return;
  if (isComing === true) throw new Failed(stillResuming);
  if (isSilent === true) throw new Failed(guestDoesNotSay);
  if (isHousekeeping === true) throw new Failed(housekeeping);
  if (inUse === undefined) throw new Failed(buildCame);
  const canAsk = process.stdin.isTTY && context.isTTY;
  if (!canAsk || !(await isYes(suspendAnyway(inUse), context)))
    throw new Failed(somebodyIsIn(describeBusy(inUse)));
  await send(layout, { force: true }, context);
}

/** The agent of our own guest starts within 5 s after nix-daemon; on a busy machine it takes longer. */
const agentMs = 15_000;
/** A resume that takes longer than this has failed, and the guest boots. */
const resumeMs = 60_000;

/** A build for which it comes back is then waited for, as any other. Failed where it does not come back. */
async function untilBack(layout: Layout, { clock, signal }: CliContext): Promise<void> {
  const isBack = async () => {
    const found = await findStatus(layout, { clock, signal });
    return found.daemon === 'gone' || found.status.phase !== 'resuming';
  };
  const end = await until(isBack, { clock, signal, everyMs: 250, timeoutMs: resumeMs });
  if (end !== 'held') throw new Failed(stillResuming);
}

/** The daemon's answer. A guest that has only just booted is asked again until its agent has started, one that is resumed until it is back. */
async function answerTo(
  layout: Layout,
  { force, door }: { readonly force: boolean; readonly door: DoorHeld | undefined },
  { clock, signal }: CliContext,
): Promise<Partial<Answers['suspend']>> {
  let answer: Partial<Answers['suspend']> = {};
  const asked = { clock, signal, everyMs: 250 };
  const isNot = (what: 'isComing' | 'isSilent') => async () => {
    answer = await ask(layout, 'suspend', clock, signal, { ...(force && forced), by: door });
    return answer[what] !== true;
  };
  await until(isNot('isComing'), { ...asked, timeoutMs: resumeMs });
  if (answer.isSilent === true) await until(isNot('isSilent'), { ...asked, timeoutMs: agentMs });
  return answer;
}

/** A question, to which yes ends what is in the guest. */
export const suspendAnyway = (inUse: Busy): string =>
  `${describeBusy(inUse)}. Suspend the guest anyway?`;

/** `resume`: brings the guest back before a build asks for it. */
export async function runResume(options: DirectoryOption, context: CliContext): Promise<void> {
  const layout = layoutFor(options, context, 'ask');
  await livingStatus(layout, context);
  context.out(
    (await wake(layout, context))
      ? advice`Starting the guest. To wait until it is ready: ${ours('wait')}`
      : 'The guest is already running or starting.',
  );
}

/** Brings the guest back where it is away, or goes; whether it was so. */
async function wake(layout: Layout, { clock, signal }: CliContext): Promise<boolean> {
  return (await ask(layout, 'resume', clock, signal))['was'] === 'away';
}

/** The same where it is not what the command is for: false too where the daemon does not say, or knows no guest that goes. */
export async function wakeIfAway(layout: Layout, context: CliContext): Promise<boolean> {
  try {
    return await wake(layout, context);
  } catch (error) {
    if (!(error instanceof Failed) || context.signal.aborted) throw error;
    return false;
  }
}

/** What the daemon says, unless there is none, or it has given up. */
export async function livingStatus(layout: Layout, context: CliContext): Promise<Status> {
  const found = await findStatus(layout, context);
  if (found.daemon === 'gone') throw new Failed(noDaemon(layout));
  const { phase, because } = found.status;
  if (traitsOf(phase).builds === 'never' && because !== undefined) throw new Failed(because);
  return found.status;
}

/** The status when it is away, undefined when it comes back already. Failed where its end takes longer than any. */
async function untilGone(
  layout: Layout,
  { clock, signal }: CliContext,
): Promise<Status | undefined> {
  let seen: { away?: Status; isComing: boolean } = { isComing: false };
  const isOver = async () => {
    const found = await findStatus(layout, { clock, signal });
    if (found.daemon === 'gone') throw new Failed(noDaemon(layout));
    const { builds } = traitsOf(found.status.phase);
    const isComing = traitsOf(found.status.phase).guest === 'comes';
    seen = { isComing, ...(builds === 'on-demand' && { away: found.status }) };
    // One that comes back at once may be on trial, and goes again.
    return builds !== 'soon';
  };
  const timeoutMs = 60_000;
  const end = await until(isOver, { clock, signal, everyMs: 100, timeoutMs });
  if (end !== 'held' && !seen.isComing) throw new Failed(doesNotGo);
  return seen.away;
}
