/** All that a run of unconfigure would undo, as one value: it is shown by a dry run, and carried out by any other. Nothing is changed yet. */
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { CliContext } from '../../command/context.ts';
import type { Layout } from '../../config/layout.ts';
import { marksIn, mayBeOurs } from '../../host/directory/directory-mark.ts';
import { ownerHere } from '../../host/installed.ts';
import { otherIncluded } from '../../host/other-builder.ts';
import { describeLoss, lossOf } from '../../host/purge.ts';
import { readReceipts, type Receipt } from '../../host/receipts.ts';
import { systemPathsOf } from '../../host/system-paths.ts';
import { servicePaths } from '../../service/job-files.ts';
import { unitName } from '../../service/systemd/systemd-unit.ts';
import { describeJob, jobRemoval, type JobPlan } from '../boot-job.ts';
import { foundReceipts } from '../builder-files.ts';
import {
  nothingToUndo,
  plannedRemoval,
  removalNeeds,
  type RemovalNeeds,
} from '../root/root-removal.ts';
import { describeUndo, undoStepsOf, type UndoStep } from '../../host/undo.ts';

export interface RemovalPlan {
  readonly job: JobPlan;
  readonly root: RemovalNeeds;
  /** Of what was changed for the user. */
  readonly receipts: readonly Receipt[];
  readonly steps: readonly UndoStep[];
  /** With --purge: what cannot be had again, in words, and where it is. */
  readonly loss: readonly string[];
  readonly directory: string;
  /** With --purge: that directory is ours, and goes. */
  readonly isPurged: boolean;
  /** Nothing was ever made here. */
  readonly isEmpty: boolean;
}

export function removalPlan(
  layout: Layout,
  context: CliContext,
  { purge }: { readonly purge: boolean },
): RemovalPlan {
  const systemPaths = systemPathsOf(context.env['LINUXKIT_BUILDER_TREE']);
  const of = { uid: ownerHere(layout.root).uid, directory: layout.root };
  const job = jobRemoval(layout, context);
  const root = removalNeeds({ paths: systemPaths.roots, of });
  const receipts = receiptsIn(layout, context);
  const isMade =
    [layout.config, layout.state].some((path) => existsSync(path)) ||
    (purge && marksIn(layout).length > 0);
  const isKnown = receipts.length > 0 || job.kind !== 'right' || root.kind === 'undo';
  return {
    job,
    root,
    receipts,
    directory: layout.root,
    isPurged: purge && existsSync(layout.root) && mayBeOurs(layout),
    isEmpty: !isMade && !isKnown,
    steps: stepsOf(receipts, layout),
    loss: purge ? lossOf(layout) : [],
  };
}

/** What would be done, in words. */
export function describeRemoval(plan: RemovalPlan): string[] {
  const { job, root, steps, loss, directory, isPurged, isEmpty } = plan;
  if (isEmpty) return [nothingToUndo];
  const purged = loss.length > 0 ? describeLoss(loss, directory) : directory;
  const lines = [
    ...describeJob(job),
    ...(root.kind === 'undo' ? plannedRemoval(root) : []),
    ...steps.flatMap((step) => describeUndo(step, 'planned')),
    ...(isPurged ? [`Would delete ${purged}`] : []),
  ];
  return lines.length === 0 ? [nothingToUndo] : lines;
}

/** How the user's part is undone, as the files are now. */
export const ownSteps = (layout: Layout, context: CliContext): readonly UndoStep[] =>
  stepsOf(receiptsIn(layout, context), layout);

const stepsOf = (receipts: readonly Receipt[], { root }: Layout): readonly UndoStep[] =>
  undoStepsOf(receipts, { otherIn: (lines) => otherIncluded(lines, root) });

/** As recorded; or as found, where somebody deleted the whole state directory. */
function receiptsIn(layout: Layout, context: CliContext): readonly Receipt[] {
  const systemPaths = systemPathsOf(context.env['LINUXKIT_BUILDER_TREE']);
  return existsSync(layout.receipts)
    ? readReceipts(layout.receipts).filter(isConfigures(layout, systemPaths.home, context))
    : foundReceipts(layout, systemPaths);
}

/** Whatever a receipt says, configure writes these files and no other, and makes the directories that they are in. */
function isConfigures({ root }: Layout, home: string, context: CliContext) {
  const ssh = join(home, '.ssh/config');
  const files = [ssh, ...servicePaths(context)];
  return ({ path, put }: Receipt): boolean => {
    if (put === 'backup-exclusion') return path === root;
    const isHomes = path.startsWith(`${home}/`);
    if (put === 'directory') return isHomes || files.some((file) => file.startsWith(`${path}/`));
    // Its directory goes by the environment, which may have been another.
    const isUnit = isHomes && basename(path) === unitName;
    return (files.includes(path) || isUnit) && (path === ssh) === (put === 'block');
  };
}
