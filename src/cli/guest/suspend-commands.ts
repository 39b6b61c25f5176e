/** `suspend`, `resume`: the guest goes until it is needed, and comes back before that. */
import type { Command } from 'commander';
import type { Layout } from '../../config/layout.ts';
import { noDaemon } from '../../supervisor/daemon/no-daemon.ts';
import type { Status } from '../../supervisor/status/status-schema.ts';
import { Exit, Failed, type Failure } from '../../system/failure.ts';
import {
  directoryOption,
  layoutFor,
  type CliContext,
  type DirectoryOption,
} from '../../command/context.ts';
import { saying } from '../../command/announce-slow.ts';
import {
  buildsOption,
  describeBusy,
  nowOption,
  orLetIn,
  waitForBuilds,
  type EndOptions,
} from '../../client/wait-for-builds.ts';

export function suspendVerb(program: Command, context: CliContext): void {
  program
    .command('suspend')
    .description(
      'suspend the guest (or stop it, where it cannot be suspended) until the next build',
    )
    .option(...directoryOption)
    .option(...nowOption)
    .option(...buildsOption)
    .option('--force', 'even if the guest is in use: running builds fail')
    .action(async (options: SuspendOptions) => {
      const layout = layoutFor(options, context, 'ask');
      const before = await livingStatus(layout, context);
      const { traitsOf } = await import('../../supervisor/lifecycle/phases.ts');
      if (traitsOf(before.phase).builds === 'on-demand')
        return context.out('The guest is away already; the next build brings it back.');
      const atLimit = options.force === true ? 'sending it away all the same' : 'the guest stays';
      await waitForBuilds(layout, options, context, atLimit);
      await orLetIn(layout, context, () => send(layout, options, context));
      const isAway = await saying('Waiting for the guest to shut down.', context, () =>
        untilGone(layout, context),
      );
      context.out(
        isAway
          ? 'The guest is away; the next build brings it back.'
          : 'The guest is there again: somebody has come for it meanwhile.',
      );
    });
}

interface SuspendOptions extends DirectoryOption, EndOptions {
  readonly force?: boolean;
}

/** Has the daemon send the guest away; where somebody is in it, a person is asked first. Failed where it stays. */
async function send(
  layout: Layout,
  { force = false }: Pick<SuspendOptions, 'force'>,
  context: CliContext,
): Promise<void> {
  const { ask, forced } = await import('../../supervisor/daemon/control.ts');
  const { clock, signal } = context;
  const more = force ? forced : {};
  const { goes, inUse } = await ask(layout, 'suspend', clock, signal, more);
  if (goes === true) return;
  if (inUse === undefined) throw new Failed(buildCame);
  const isAsked = process.stdin.isTTY && context.isTTY;
  const { isYes } = await import('../../command/ask.ts');
  if (!isAsked || !(await isYes(`${describeBusy(inUse)}. Break them off?`, context)))
    throw new Failed(somebodyIsIn(describeBusy(inUse)));
  await send(layout, { force: true }, context);
}

export function resumeVerb(program: Command, context: CliContext): void {
  program
    .command('resume')
    .description('resume or start a suspended guest, without waiting for a build')
    .option(...directoryOption)
    .action(async (options: DirectoryOption) => {
      const layout = layoutFor(options, context, 'ask');
      await livingStatus(layout, context);
      context.out(
        (await wake(layout, context))
          ? 'The guest starts; wait for it with: linuxkit-builder wait'
          : 'The guest is not away.',
      );
    });
}

/** Brings the guest back where it is away, or goes; whether it was so. */
async function wake(layout: Layout, { clock, signal }: CliContext): Promise<boolean> {
  const { ask } = await import('../../supervisor/daemon/control.ts');
  return (await ask(layout, 'resume', clock, signal))['was'] === 'away';
}

/** The same where it is not what the verb is for: false too where the daemon does not say, or knows no guest that goes. */
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
  const { findStatus } = await import('../../client/found.ts');
  const { traitsOf } = await import('../../supervisor/lifecycle/phases.ts');
  const found = await findStatus(layout, context);
  if (found.daemon === 'gone') throw new Failed(noDaemon(layout));
  const { phase, because } = found.status;
  if (traitsOf(phase).builds === 'never' && because !== undefined) throw new Failed(because);
  return found.status;
}

/** True when it is away, false when it comes back already. Failed where its end takes longer than any. */
async function untilGone(layout: Layout, { clock, signal }: CliContext): Promise<boolean> {
  const { until } = await import('../../system/time/wait.ts');
  const { findStatus } = await import('../../client/found.ts');
  const { traitsOf } = await import('../../supervisor/lifecycle/phases.ts');
  let [isAway, isComing] = [false, false];
  const isOver = async () => {
    const found = await findStatus(layout, { clock, signal });
    if (found.daemon === 'gone') throw new Failed(noDaemon(layout));
    const { builds } = traitsOf(found.status.phase);
    isAway = builds === 'on-demand';
    isComing = traitsOf(found.status.phase).guest === 'comes';
    // One that comes back at once may be on trial, and goes again.
    return builds !== 'soon';
  };
  const timeoutMs = 60_000;
  const end = await until(isOver, { clock, signal, everyMs: 100, timeoutMs });
  if (end !== 'held' && !isComing) throw new Failed(doesNotGo);
  return isAway;
}

const somebodyIsIn = (who: string): Failure => ({
  kind: 'guest-in-use',
  message: `${who}, so the guest stays.`,
  hint: 'To wait for their end: linuxkit-builder suspend. To break them off: linuxkit-builder suspend --now --force.',
  exit: Exit.temporary,
});

const buildCame: Failure = {
  kind: 'guest-wanted',
  message: 'A build waits for the guest, so it stays.',
  hint: 'Try again when the build is over: linuxkit-builder suspend.',
  exit: Exit.temporary,
};

const doesNotGo: Failure = {
  kind: 'guest-does-not-go',
  message: 'The guest has not shut down within 60 s.',
  hint: 'See: linuxkit-builder status, linuxkit-builder console.',
  exit: Exit.temporary,
};
