/** What configure does about the keeper of the daemon, beyond writing its files. */
import type { CliContext } from '../../command/context.ts';
import { usualWait } from '../../client/builds-option.ts';
import { afterBuilds } from '../../client/wait-for-builds.ts';
import { readReceipts, writeReceipts, type Receipt } from '../../host/receipts.ts';
import { declaredJob, servicePaths } from '../../service/job-files.ts';
import { userServiceFor } from '../../service/service.ts';
import { restartCommand } from '../../service/declared-job.ts';
import { settleJob, type JobPlan } from '../boot-job.ts';
import { applyUndo, describeUndo, undoStepsOf } from '../../host/undo.ts';
import type { ConfigureRun } from './configure-facts.ts';
import { advice, ours } from '../../system/advice.ts';

/** The receipts of what an earlier configure told the keeper, where that is not wanted any more. */
export function droppedBy(
  wanted: readonly string[],
  receipts: readonly Receipt[],
  context: CliContext,
): readonly Receipt[] {
  const paths = servicePaths(context).filter((path) => !wanted.includes(path));
  const isIn = (file: string, path: string) => file === path || file.startsWith(`${path}/`);
  // A directory goes with the last file in it that is wanted.
  const isDropped = (path: string) =>
    paths.some((file) => isIn(file, path)) && !wanted.some((file) => isIn(file, path));
  const dropped = receipts.filter(({ path }) => isDropped(path));
  return dropped.some(({ path }) => paths.includes(path)) ? dropped : [];
}

/** As for `stop`. */
const usual = { timeout: usualWait };

/** Takes those back. Their keeper ends the daemon with it. */
export async function dropService(dropped: readonly Receipt[], run: ConfigureRun): Promise<void> {
  if (dropped.length === 0) return;
  const { layout, context, say } = run;
  await afterBuilds(layout, usual, context, async () => userServiceFor(layout, context)?.remove());
  for (const undoing of undoStepsOf(dropped)) {
    applyUndo(undoing);
    for (const line of describeUndo(undoing, 'done')) say(line);
  }
  const paths = dropped.map(({ path }) => path);
  const kept = readReceipts(layout.receipts).filter(({ path }) => !paths.includes(path));
  writeReceipts(layout.receipts, kept);
}

/** Root's part of the job at boot: its file is written, or taken away where the settings ask for none. */
export async function settleBootJob(job: JobPlan, run: ConfigureRun): Promise<void> {
  const { layout, context, flags, say } = run;
  sayDeclared(run);
  if (job.kind === 'right') return;
  // On the output there is JSON, and nothing else.
  const print = (line: string) => context[flags.json ? 'err' : 'out'](line);
  const settle = () => settleJob(job, context, flags.skipRoot ? print : undefined);
  const ends = job.kind === 'remove' && !flags.skipRoot;
  (ends ? await afterBuilds(layout, usual, context, settle) : await settle()).forEach(say);
  if (job.kind === 'write' && !flags.skipRoot) say(startsAtBoot);
}

/** Who else starts it is named, and left alone. */
function sayDeclared({ layout, context, say }: ConfigureRun): void {
  const declared = declaredJob(context);
  if (declared === undefined) return;
  const { by, path, directory = layout.root } = declared;
  const restart = restartCommand(declared, process.getuid?.() ?? 0);
  say(declaredElsewhere({ by, path, restart }, directory === layout.root ? undefined : directory));
}

export const startsAtBoot = advice`The daemon starts at boot. To start it now: ${ours('start')}`;

/** `its`: of which builder, where that is not ours. */
export const declaredElsewhere = (
  { by, path, restart }: { by: string; path: string; restart: string },
  its: string | undefined,
): string =>
  `The daemon's job${its === undefined ? '' : ` (for the builder in ${its})`} is declared by ${by}, so ${path} was not changed. To restart it: ${restart}`;
