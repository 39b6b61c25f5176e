/** What `unconfigure` does, in order: asks, stops the daemon, root's part, the user's part, and last the state directory. */
import { existsSync, rmSync } from 'node:fs';
import type { Layout } from '../../config/layout.ts';
import type { Owner } from '../../host/installed.ts';
import { describeLoss, lossOf, purge } from '../../host/purge.ts';
import { handToRoot, withoutSudo } from '../root/run-script.ts';
import { nothingToUndo, removalScript } from '../root/root-removal.ts';
import { applyUndo, describeUndo } from '../../host/undo.ts';
import { Exit, Failed, type Failure } from '../../system/failure.ts';
import { makeDirectory } from '../../system/files/files.ts';
import { plainText } from '../../system/plain-text.ts';
import { withOperationLock } from '../../system/lock/lock.ts';
import { letIntoBackups } from '../backups.ts';
import { isYes } from '../../command/ask.ts';
import { refuseLegacy } from '../legacy.ts';
import type { CliContext } from '../../command/context.ts';
import { saying, waitingForEnd, waitingForOther } from '../../command/announce-slow.ts';
import { settleJob } from '../boot-job.ts';
import { serviceFor } from '../../service/service.ts';
import { type EndOptions } from '../../client/builds-option.ts';
import { afterBuilds } from '../../client/wait-for-builds.ts';
import { describeRemoval, ownSteps, removalPlan, type RemovalPlan } from './removal-plan.ts';
import { advice, ours, type Text } from '../../system/advice.ts';

interface UnconfigureFlags {
  readonly purge: boolean;
  readonly yes: boolean;
  readonly dryRun: boolean;
  readonly skipRoot: boolean;
  /** Whether, and how long, it waits for builds. */
  readonly end: EndOptions;
}

interface Run {
  readonly layout: Layout;
  readonly context: CliContext;
  readonly flags: UnconfigureFlags;
  /** For what an administrator is to run, alone on the output. */
  readonly print: (line: string) => void;
}

/** Undoes what the receipts say, and nothing else. Done again after an interruption it goes on where it was. */
export async function runUnconfigure(
  layout: Layout,
  given: CliContext,
  flags: UnconfigureFlags,
): Promise<void> {
  // What is on the output with --no-root is for an administrator to run.
  const context = flags.skipRoot ? { ...given, out: (line: Text) => given.err(line) } : given;
  const run = { layout, context, flags, print: (line: string) => given.out(line) };
  refuseLegacy(layout);
  const plan = removalPlan(layout, context, flags);
  if (flags.dryRun) return describeRemoval(plan).forEach((line) => context.out(line));
  if (plan.isEmpty) return context.out(nothingToUndo);
  if (!(await mayPurge(plan, run))) return context.exit(Exit.general);
  await stopEverything(run);
  // That may have taken long: what is undone is what is there now.
  const now = removalPlan(layout, context, flags);
  await undoRoots(now, run);
  await undoOwn(now, run);
  if (!flags.purge && existsSync(layout.root)) sayKept(run);
}

/** Root's part, or what an administrator runs for it. */
async function undoRoots({ job, root }: RemovalPlan, run: Run): Promise<void> {
  const { flags, context } = run;
  const print = flags.skipRoot ? run.print : undefined;
  const say = (lines: readonly string[]) => lines.forEach((line) => context.out(line));
  if (job.kind !== 'right') say(await settleJob(job, context, print));
  if (root.kind === 'other') context.out(leftRoots(root.owner));
  if (root.kind !== 'undo') return;
  const forRoot = { what: "Root's files were", refused: removalRefused };
  say(await handToRoot(removalScript(root), forRoot, context, print));
}

/** Asks before what cannot be had again is deleted; before anything is done. */
async function mayPurge({ loss }: RemovalPlan, { layout, context, flags }: Run): Promise<boolean> {
  if (flags.yes || loss.length === 0) return true;
  const what = describeLoss(loss, layout.root);
  if (!process.stdin.isTTY || !context.isTTY) throw new Failed(needsYes(what));
  if (await isYes(`Delete ${what}?`, context)) return true;
  context.err(nothingChanged);
  return false;
}

async function stopEverything({ layout, context, flags }: Run): Promise<void> {
  const end = existsSync(layout.status) ? flags.end : { ...flags.end, now: true };
  await afterBuilds(layout, end, context, () => endDaemon({ layout, context }));
}

async function endDaemon({ layout, context }: Pick<Run, 'layout' | 'context'>): Promise<void> {
  const service = serviceFor(layout, context);
  if (service?.declared !== undefined)
    context.out(leftDeclared(service.declared.by, service.declared.path));
  // That at boot is root's to end, by the script that takes it away.
  else if (service?.starts === 'login')
    await saying(waitsForKeeper(service.name), context, () => service.remove());
  if (!existsSync(layout.state)) return;
  const { stopDaemon } = await import('../../client/stop-daemon.ts');
  const stopped = await saying(waitingForEnd, context, () => stopDaemon(layout, context));
  if (stopped !== 'nothing-runs') context.out(stoppedDaemon);
}

/** The user's part, and with --purge the directory, while nobody else is at work there. */
async function undoOwn(plan: RemovalPlan, run: Run): Promise<void> {
  const { layout, context, flags } = run;
  const { clock, signal } = context;
  const { isPurged } = plan;
  if (flags.purge && !isPurged && existsSync(layout.root)) context.out(leftDirectory(layout.root));
  if (plan.receipts.length === 0 && !isPurged) return;
  makeDirectory(layout.state);
  const onWaiting = () => context.err(waitingForOther);
  await withOperationLock(layout.startLock, { clock, signal, onWaiting }, async (lost) => {
    const stop = AbortSignal.any([lost, signal]);
    for (const line of await letIntoBackups(layout, context)) context.out(line);
    for (const step of ownSteps(layout, context)) {
      stop.throwIfAborted();
      applyUndo(step);
      for (const line of describeUndo(step, 'done')) context.out(line);
    }
    rmSync(layout.receipts, { force: true });
    stop.throwIfAborted();
    if (!isPurged) return;
    const left = purge(layout);
    const isEmptied = left.length === 0 && existsSync(layout.root);
    context.out(isEmptied ? emptiedDirectory(layout.root) : deletedDirectory(layout.root, left));
  });
}

function sayKept({ layout, context }: Run): void {
  const loss = lossOf(layout);
  if (loss.length > 0) keptThese(loss, layout.root).forEach((line) => context.out(line));
}

export const nothingChanged = 'Nothing was changed.';
export const leftRoots = ({ name, directory }: Owner): string =>
  `Left root's files: they are for ${name}'s builder in ${directory}.`;
export const leftDeclared = (by: string, path: string): string =>
  `Left the job that ${by} declares: ${path}`;
export const waitsForKeeper = (keeper: string): string =>
  `Waiting for ${keeper} to stop the daemon.`;
export const stoppedDaemon = 'Stopped the daemon.';
export const leftDirectory = (directory: string): string =>
  `Left ${directory}: it contains files that linuxkit-builder did not create.`;

/** `left`: what is not ours, by name. */
export const deletedDirectory = (directory: string, left: readonly string[]): string =>
  left.length === 0
    ? `Deleted ${directory}`
    : `Deleted our files in ${directory}. Left the others: ${left.map(plainText).join(', ')}`;

export const emptiedDirectory = (directory: string): string =>
  `Deleted everything in ${directory}. The empty directory could not be removed: it is a mount point, or the directory above it is not writable.`;

export const keptThese = (loss: readonly string[], directory: string): Text[] => [
  `Kept ${describeLoss(loss, directory)}`,
  advice`To delete them too: ${ours('unconfigure', '--purge')}`,
];

export const needsYes = (what: string): Failure => ({
  kind: 'needs-yes',
  message: `--purge would delete ${what}. Nothing was changed.`,
  hint: 'This is not a terminal, so nobody can confirm that. If you are sure, add --yes.',
  exit: Exit.usage,
});

/** Where root's script for a removal fails. */
export const removalRefused = {
  so: 'the builder is still registered with Nix, and your own files were not changed.',
  hint: advice`Run unconfigure again as a user who can use sudo, or have an administrator run, as root, what this prints: ${ours('unconfigure', '--no-root')}`,
  without: withoutSudo('unconfigure'),
};
