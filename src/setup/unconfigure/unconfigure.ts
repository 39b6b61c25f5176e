/** What `unconfigure` does, in order: asks, stops the daemon, root's part, the user's part, and last the state directory. */
import { existsSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Layout } from '../../config/layout.ts';
import { readInstalled } from '../../host/installed.ts';
import { otherIncluded } from '../../host/other-builder.ts';
import { systemPathsOf, rootPaths, type SystemPaths } from '../../host/system-paths.ts';
import { lossOf, purge } from '../../host/purge.ts';
import { mayBeOurs } from '../../host/state-directory.ts';
import { foundReceipts } from '../builder-files.ts';
import { readReceipts, type Receipt } from '../../host/receipts.ts';
import { runScript } from '../root/root-files.ts';
import {
  plannedRemoval,
  removalNeeds,
  removalScript,
  type RootRemoval,
} from '../root/root-removal.ts';
import { unitName } from '../../service/systemd/systemd-unit.ts';
import { applyUndo, undoStepsOf, describeUndo } from './undo.ts';
import { Exit, Failed } from '../../system/failure.ts';
import { makeDirectory } from '../../system/files/files.ts';
import { withOperationLock } from '../../system/lock/lock.ts';
import { letIntoBackups } from '../backups.ts';
import { isYes } from '../../command/ask.ts';
import { refuseLegacy } from '../configure/take-over.ts';
import type { CliContext } from '../../command/context.ts';
import { saying, waitingForEnd } from '../../command/announce-slow.ts';
import { ownerOf } from '../root/report-drift.ts';
import { plannedJobRemoval, removeSystemJob } from '../configure/login-job.ts';
import { presentSystemJob, serviceFor, servicePaths } from '../../service/service.ts';
import { orLetIn, waitForBuilds, type EndOptions } from '../../client/wait-for-builds.ts';

export interface UnconfigureFlags {
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
  readonly places: SystemPaths;
  readonly removal: RootRemoval;
}

/** Undoes what the receipts say, and nothing else. Done again after an interruption it goes on where it was. */
export async function runUnconfigure(
  layout: Layout,
  given: CliContext,
  flags: UnconfigureFlags,
): Promise<void> {
  // What is on the output with --no-root is for an administrator to run.
  const context = flags.skipRoot ? { ...given, out: (line: string) => given.err(line) } : given;
  const places = systemPathsOf(context.env['LINUXKIT_BUILDER_TREE']);
  const { rootHome, etcNix } = places;
  const { uid } = ownerOf(layout.root);
  const removal = { rootHome, etcNix, of: { uid, directory: layout.root } };
  const run = { layout, context, flags, places, removal };
  refuseLegacy(layout);
  if (flags.dryRun) return showUndoings(run);
  if (!hasAnything(run)) return context.out('Nothing to undo.');
  if (flags.purge && !(await mayPurge(run))) return context.exit(Exit.general);
  await stopEverything(run);
  const print = (line: string) => given.out(line);
  await removeSystemJob(layout, context, flags.skipRoot ? { print } : {});
  await undoRoots(run, print);
  sayOther(run);
  await undoOwn(run);
  if (!flags.purge && existsSync(layout.root)) sayKept(run);
}

/** Root's part, or what an administrator runs for it, alone on the output. */
async function undoRoots(
  { removal, flags, context }: Run,
  print: (line: string) => void,
): Promise<void> {
  const needs = removalNeeds(removal);
  if (needs.kind !== 'undo') return;
  const script = removalScript(removal, needs.known);
  if (flags.skipRoot) {
    context.err("Not done, as asked: root's part. An administrator runs as root, by /bin/sh:");
    for (const line of script.trimEnd().split('\n')) print(line);
    return;
  }
  const { signal } = context;
  const err = (line: string) => context.err(line);
  const isRoot = process.getuid?.() === 0;
  const refused = {
    so: 'Nix still knows the builder, and nothing of yours was undone.',
    hint: 'Run unconfigure again where you can become root; or an administrator runs, as root, what linuxkit-builder unconfigure --no-root prints.',
  };
  const said = await runScript(script, { isRoot, sudo: 'sudo', signal, err, refused });
  said.forEach((line) => context.out(line));
}

const hasAnything = (run: Run): boolean =>
  existsSync(run.layout.config) ||
  existsSync(run.layout.state) ||
  receiptsOf(run).length > 0 ||
  presentSystemJob(run.layout, run.context) !== undefined ||
  removalNeeds(run.removal).kind === 'undo';

/** What was changed for the user: as recorded; or as found, where somebody deleted the whole state directory. */
const receiptsOf = (run: Run): readonly Receipt[] =>
  existsSync(run.layout.receipts)
    ? readReceipts(run.layout.receipts).filter((receipt) => isConfigures(receipt, run))
    : foundReceipts(run.layout, run.places);

/** Whatever a receipt says, configure writes these files and no other, and makes the directories that they are in. */
function isConfigures({ path, put }: Receipt, { layout, places, context }: Run): boolean {
  if (put === 'backup-exclusion') return path === layout.root;
  const ssh = join(places.home, '.ssh/config');
  const files = [ssh, ...servicePaths(context)];
  // Its directory goes by the environment, which may have been another.
  const isUnit = path.startsWith(`${places.home}/`) && basename(path) === unitName;
  if (put === 'directory')
    return files.some((file) => file.startsWith(`${path}/`)) || path.startsWith(`${places.home}/`);
  return (files.includes(path) || isUnit) && (path === ssh) === (put === 'block');
}

const ownUndoings = (run: Run) =>
  undoStepsOf(receiptsOf(run), { otherIn: (lines) => otherIncluded(lines, run.layout.root) });

function showUndoings(run: Run): void {
  const { layout, context, flags, removal } = run;
  const needs = removalNeeds(removal);
  const root = needs.kind === 'undo' ? plannedRemoval(removal, needs.known) : [];
  const own = ownUndoings(run).flatMap((undoing) => describeUndo(undoing, 'planned'));
  const lines = [...plannedJobRemoval(layout, context), ...root, ...own];
  const loss = flags.purge ? lossOf(layout) : [];
  if (loss.length > 0) lines.push(`Would delete ${loss.join(', ')}, in ${layout.root}`);
  for (const line of lines.length === 0 ? ['Nothing to undo.'] : lines) context.out(line);
}

/** Asks before what cannot be had again is deleted; before anything is done. */
async function mayPurge({ layout, context, flags }: Run): Promise<boolean> {
  const loss = lossOf(layout);
  if (flags.yes || loss.length === 0) return true;
  const what = `${loss.join(', ')}, in ${layout.root}`;
  if (!process.stdin.isTTY || !context.isTTY)
    throw new Failed({
      kind: 'needs-yes',
      message: `--purge would delete ${what}; nothing was changed.`,
      hint: 'There is nobody to ask here. If that is what you want, add --yes.',
      exit: Exit.usage,
    });
  if (await isYes(`Delete ${what}?`, context)) return true;
  context.err('Nothing was changed.');
  return false;
}

async function stopEverything({ layout, context, flags }: Run): Promise<void> {
  if (existsSync(layout.status)) await waitForBuilds(layout, flags.end, context);
  await orLetIn(layout, context, () => endDaemon({ layout, context }));
}

async function endDaemon({ layout, context }: Pick<Run, 'layout' | 'context'>): Promise<void> {
  const service = serviceFor(layout, context);
  if (service?.declared !== undefined)
    context.out(`Left the job of ${service.declared.by}: ${service.declared.path}`);
  // That at boot is root's to end, by the script that takes it away.
  else if (service?.starts === 'login')
    await saying(`Waiting for ${service.name} to end the daemon.`, context, () => service.remove());
  if (!existsSync(layout.state)) return;
  const { stopDaemon } = await import('../../client/stop-daemon.ts');
  const stopped = await saying(waitingForEnd, context, () => stopDaemon(layout, context));
  if (stopped !== 'nothing-runs') context.out('Stopped the daemon.');
}

/** The user's part, and with --purge the directory, while nobody else is at work there. */
async function undoOwn(run: Run): Promise<void> {
  const { layout, context, flags } = run;
  const { clock, signal } = context;
  const isPurged = flags.purge && existsSync(layout.root) && mayBeOurs(layout);
  if (flags.purge && !isPurged && existsSync(layout.root))
    context.out(`Left ${layout.root}: it holds files that this program did not make.`);
  if (receiptsOf(run).length === 0 && !isPurged) return;
  makeDirectory(layout.state);
  const onWaiting = () => context.err('Another command is at work in this directory; waiting.');
  await withOperationLock(layout.startLock, { clock, signal, onWaiting }, async (lost) => {
    const stop = AbortSignal.any([lost, signal]);
    for (const line of await letIntoBackups(layout, context)) context.out(line);
    for (const undoing of ownUndoings(run)) {
      stop.throwIfAborted();
      applyUndo(undoing);
      for (const line of describeUndo(undoing, 'done')) context.out(line);
    }
    rmSync(layout.receipts, { force: true });
    stop.throwIfAborted();
    if (isPurged) purgeAll(run);
  });
}

function purgeAll({ layout, context }: Run): void {
  const left = purge(layout);
  context.out(
    left.length === 0
      ? `Deleted ${layout.root}`
      : `Deleted what was ours in ${layout.root}; this is not, and was left: ${left.join(', ')}`,
  );
}

function sayKept({ layout, context }: Run): void {
  const loss = lossOf(layout);
  if (loss.length === 0) return;
  context.out(`Kept ${loss.join(', ')}, in ${layout.root}`);
  context.out('To delete that as well: linuxkit-builder unconfigure --purge');
}

function sayOther({ removal, context }: Run): void {
  const needs = removalNeeds(removal);
  if (needs.kind !== 'other') return;
  const { installed } = rootPaths(removal);
  const owner = readInstalled(installed)?.owner ?? needs.owner;
  context.out(`Left what root knows: it is the builder of ${owner.name} in ${owner.directory}.`);
}
