/** `restart`: the guest, and after an upgrade the daemon with it. */
import type { Layout } from '../../config/layout.ts';
import type { Service } from '../../service/keeper.ts';
import type { Status } from '../../supervisor/status/status-schema.ts';
import {
  layoutFor,
  refuseOthers,
  type CliContext,
  type DirectoryOption,
} from '../../command/context.ts';
import { type EndOptions } from '../../client/builds-option.ts';
import { afterBuilds } from '../../client/wait-for-builds.ts';
import {
  bootJobKept,
  guestAlone,
  guestRestarts,
  keeperRestarts,
  keptForSettings,
  previousSettings,
  replacedWords,
  startedInstead,
  stillOther,
} from './daemon-words.ts';
import { startBy, stop } from './start-stop.ts';
import { advice, type Text } from '../../system/advice.ts';
import { findStatus } from '../../client/found.ts';
import { serviceFor } from '../../service/service.ts';
import { ask } from '../../supervisor/daemon/ask-daemon.ts';
import { readSettings } from '../../config/read-settings.ts';
import { restartCommand } from '../../service/declared-job.ts';
import { wakeIfAway } from '../guest/suspend.ts';
import { describeToOwner } from '../../domain/problem.ts';

export async function runRestart(
  options: DirectoryOption & EndOptions,
  context: CliContext,
): Promise<void> {
  const layout = layoutFor(options, context, 'ask');
  context.out(await afterBuilds(layout, options, context, () => restart(layout, context)));
}

/** Begins it; what was done, for people. */
async function restart(layout: Layout, context: CliContext): Promise<Text> {
  const service = serviceFor(layout, context);
  const found = await findStatus(layout, context);
  if (found.daemon === 'alive') {
    // Its own file has changed: another Node, another version of ours.
    if (service?.isChanged() === true && (await service.state()).loaded) {
      await service.start();
      return keeperRestarts(service.name);
    }
    const old = otherRelease(found.status, context);
    const kept = old === undefined ? undefined : whyKept(old, service, layout);
    if (old !== undefined && kept === undefined) {
      refuseOthers(layout, context);
      return replaceDaemon(old, layout, context);
    }
    await ask(layout, 'restart', context.clock, context.signal);
    tellProblems(layout, context);
    if (kept !== undefined) context.err(kept);
    return guestRestarts;
  }
  refuseOthers(layout, context);
  const { pid, through } = await startBy(layout, context);
  return startedInstead(pid, through);
}

/** The daemon's, where it is not that of this program. */
const otherRelease = ({ release }: Status, { version }: CliContext): string | undefined =>
  version === undefined || release === version ? undefined : release;

/** Why a daemon of that release stays, as one that is stopped could not be started again; undefined where it can. */
function whyKept(old: string, service: Service | undefined, layout: Layout): Text | undefined {
  if (readSettings(layout).config === undefined) return keptForSettings(old);
  const uid = process.getuid?.() ?? 0;
  if (service?.starts !== 'boot') return undefined;
  if (service.declared === undefined) return uid === 0 ? undefined : bootJobKept(old);
  return guestAlone(old, service.declared.by, restartCommand(service.declared, uid));
}

/** After an upgrade: a guest that starts again under the old daemon would have nothing of it. */
async function replaceDaemon(old: string, layout: Layout, context: CliContext): Promise<Text> {
  await stop(layout, context);
  const { pid, through } = await startBy(layout, context);
  // As after `restart` of a daemon that stays.
  await wakeIfAway(layout, context);
  const now = await findStatus(layout, context);
  const isOld = now.daemon === 'alive' && otherRelease(now.status, context) !== undefined;
  // The job starts a copy of the program that is elsewhere.
  if (isOld) context.err(stillOther(context.version, now.status.release));
  return replacedWords(pid, through, old);
}

/** What a guest that starts again will not be told, since config.json cannot be taken. */
function tellProblems(layout: Layout, context: CliContext): void {
  const { problems } = readSettings(layout);
  if (problems.length === 0) return;
  context.err(previousSettings);
  for (const problem of problems) context.err(advice`  ${describeToOwner(problem)}`);
}
