/** `configure --dry-run`: every change as a diff, and none made. */
import { changeDiff } from '../../host/change-diff.ts';
import { describeJob } from '../boot-job.ts';
import { describeUndo, undoStepsOf } from '../../host/undo.ts';
import type { ConfigureRun } from './configure-facts.ts';
import type { ConfigurePlan } from './configure-plan.ts';
import { advice, textLines } from '../../system/advice.ts';

/** Says what a run would change; says nothing when that is nothing. */
export function showPlan(
  plan: ConfigurePlan,
  { layout, say }: Pick<ConfigureRun, 'layout' | 'say'>,
): void {
  const { directories, keys, user, root, job, dropped } = plan;
  for (const { path, kind } of directories)
    say(kind === 'make' ? `# would create the directory ${path}` : `# would make private: ${path}`);
  if (keys.areMissing)
    say(
      `# would create keys in ${layout.keys}${keys.host === undefined ? "; until then a placeholder stands for the guest's key" : ''}`,
    );
  for (const line of undoStepsOf(dropped).flatMap((step) => describeUndo(step, 'planned')))
    say(`# ${line}`);
  for (const change of [...user.changes, ...root.changes]) changeDiff(change).forEach(say);
  for (const line of describeJob(job)) say(job.kind === 'remove' ? `# ${line}` : line);
  for (const { path, purpose } of root.unseen)
    say(`# ${path}: ${purpose} (only root can read or create it)`);
  for (const { path, why, text } of [...user.byHand, ...root.byHand]) {
    say(`# ${path} ${why}, so it would not be changed.`);
    for (const line of textLines(text)) say(advice`# ${line}`);
  }
}
