/** `start`, `stop`, `wait`: the daemon's life from a terminal. */
import type { Command } from 'commander';
import type { Layout } from '../../config/layout.ts';
import type { Service } from '../../service/keeper.ts';
import type { Text } from '../../system/advice.ts';
import { Failed, failureOf } from '../../system/failure.ts';
import { until } from '../../system/time/wait.ts';
import {
  directoryOption,
  layoutFor,
  type CliContext,
  type DirectoryOption,
} from '../../command/context.ts';
import {
  alreadyWords,
  guestStarts,
  keeperStops,
  startedWords,
  stoppedWords,
  throughWords,
  withoutKeeper,
} from './daemon-words.ts';
import { failureLines } from '../../command/say.ts';
import { seconds } from '../../command/option-values.ts';
import { saying, waitingForEnd } from '../../command/announce-slow.ts';
import {
  buildsOption,
  nowOption,
  orLetIn,
  waitForBuilds,
  type EndOptions,
} from '../../client/wait-for-builds.ts';

interface WaitOptions extends DirectoryOption {
  readonly timeout: number;
}

/** `start`: the daemon in the background, through its keeper where there is one, and the guest. */
export function startVerb(command: Command, context: CliContext): void {
  command.option(...directoryOption).action(async (options: DirectoryOption) => {
    const layout = layoutFor(options, context, 'mend');
    const started = await startBy(layout, context);
    context.out(
      started.already ? alreadyWords(started.pid) : startedWords(started.pid, started.through),
    );
    // Whoever says start means now, whatever `start` in the settings says of the login.
    const { wakeIfAway } = await import('../guest/suspend-commands.ts');
    if ((await wakeIfAway(layout, context)) && started.already) context.out(guestStarts);
    const { startTrouble } = await import('../../client/start-trouble.ts');
    const trouble = await startTrouble(layout, context);
    if (trouble !== undefined) for (const line of failureLines(trouble)) context.err(line);
    await tellUnregistered(layout, context);
  });
}

async function tellUnregistered(layout: Layout, context: CliContext): Promise<void> {
  const { notRegistered } = await import('../../nix/registration.ts');
  const why = notRegistered(layout, context);
  if (why !== undefined) context.err(why);
}

/** Starts the daemon through its keeper where configure has told one of it; by ourselves where that has no session for us. */
export async function startBy(layout: Layout, context: CliContext) {
  const { startDaemon } = await import('../../client/background.ts');
  const { serviceFor } = await import('../../service/service.ts');
  const service = serviceFor(layout, context);
  if (service === undefined) return { ...(await startDaemon(layout, context)), through: '' };
  try {
    const started = await startDaemon(layout, context, () => service.start());
    return { ...started, through: throughWords(service) };
  } catch (error) {
    const failure = failureOf(error);
    if (failure.kind !== 'no-login-session') throw error;
    context.err(withoutKeeper(failure, service.name));
    return { ...(await startDaemon(layout, context)), through: '' };
  }
}

/** `stop`: waits for builds, then ends the guest and the daemon. */
export function stopVerb(command: Command, context: CliContext): void {
  command
    .option(...directoryOption)
    .option(...nowOption)
    .option(...buildsOption)
    .action(async (options: DirectoryOption & EndOptions) => {
      const layout = layoutFor(options, context, 'end');
      await waitForBuilds(layout, options, context);
      context.out(await orLetIn(layout, context, () => stop(layout, context)));
    });
}

/** Ends the daemon, through its keeper where that runs it; what was done, for people. */
export async function stop(layout: Layout, context: CliContext): Promise<Text> {
  const { serviceFor } = await import('../../service/service.ts');
  const { stopDaemon } = await import('../../client/stop-daemon.ts');
  const service = serviceFor(layout, context);
  const ran = service !== undefined && (await service.state()).running;
  if (ran && service.starts === 'boot') await endWithoutRoot(service, layout, context);
  if (ran && (await service.state()).running)
    await saying(keeperStops(service.name), context, () => service.stop());
  // Also one that was started by hand.
  const stopped = await saying(waitingForEnd, context, () => stopDaemon(layout, context));
  return stoppedWords(stopped, ran ? service : undefined);
}

/** Of a job that is root's the daemon is its owner's to end, and after an end in order it is not started again. */
async function endWithoutRoot(service: Service, layout: Layout, context: CliContext) {
  const { stopDaemon } = await import('../../client/stop-daemon.ts');
  await saying(waitingForEnd, context, () => stopDaemon(layout, context));
  const { clock, signal } = context;
  const isSeen = async () => !(await service.state()).running;
  await until(isSeen, { clock, signal, everyMs: 100, timeoutMs: 5_000 });
}

/** `wait`: until the guest is ready, or cannot become so. */
export function waitVerb(command: Command, context: CliContext): void {
  command
    .option(...directoryOption)
    .option('-t, --timeout <seconds>', 'give up after this many seconds', seconds, 300)
    .action(async (options: WaitOptions) => {
      const layout = layoutFor(options, context, 'look');
      const timeoutMs = options.timeout * 1000;
      const { waitUntilItBuilds } = await import('../../client/until-ready.ts');
      const outcome = await waitUntilItBuilds(layout, {
        ...context,
        timeoutMs,
        onSentence: (line) => context.err(line),
      });
      if (typeof outcome !== 'string') throw new Failed(outcome);
      context.out(outcome === 'ready' ? 'Ready.' : 'Ready. The next build will start the guest.');
      await tellUnregistered(layout, context);
    });
}
