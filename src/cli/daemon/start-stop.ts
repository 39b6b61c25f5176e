/** `start`, `stop`: the daemon's life from a terminal. */
import type { Layout } from '../../config/layout.ts';
import type { Service } from '../../service/keeper.ts';
import type { Text } from '../../system/advice.ts';
import { failureOf } from '../../system/failure.ts';
import { until } from '../../system/time/wait.ts';
import { layoutFor, type CliContext, type DirectoryOption } from '../../command/context.ts';
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
import { saying, waitingForEnd } from '../../command/announce-slow.ts';
import { type EndOptions } from '../../client/builds-option.ts';
import { afterBuilds } from '../../client/wait-for-builds.ts';
import { wakeIfAway } from '../guest/suspend.ts';
import { startTrouble } from '../../client/start-trouble.ts';
import { tellUnregistered } from './tell-unregistered.ts';
import { startDaemon } from '../../client/background.ts';
import { serviceFor } from '../../service/service.ts';
import { stopDaemon } from '../../client/stop-daemon.ts';

/** `start`: the daemon in the background, through its keeper where there is one, and the guest. */
export async function runStart(options: DirectoryOption, context: CliContext): Promise<void> {
  const layout = layoutFor(options, context, 'mend');
  const started = await startBy(layout, context);
  context.out(
    started.already ? alreadyWords(started.pid) : startedWords(started.pid, started.through),
  );
  // Whoever says start means now, whatever `start` in the settings says of the login.
  if ((await wakeIfAway(layout, context)) && started.already) context.out(guestStarts);
  const trouble = await startTrouble(layout, context);
  if (trouble !== undefined) for (const line of failureLines(trouble)) context.err(line);
  tellUnregistered(layout, context);
}

/** Starts the daemon through its keeper where configure has told one of it; by ourselves where that has no session for us. */
export async function startBy(layout: Layout, context: CliContext) {
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
export async function runStop(
  options: DirectoryOption & EndOptions,
  context: CliContext,
): Promise<void> {
  const layout = layoutFor(options, context, 'end');
  context.out(await afterBuilds(layout, options, context, () => stop(layout, context)));
}

/** Ends the daemon, through its keeper where that runs it; what was done, for people. */
export async function stop(layout: Layout, context: CliContext): Promise<Text> {
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
  await saying(waitingForEnd, context, () => stopDaemon(layout, context));
  const { clock, signal } = context;
  const isSeen = async () => !(await service.state()).running;
  await until(isSeen, { clock, signal, everyMs: 100, timeoutMs: 5_000 });
}
