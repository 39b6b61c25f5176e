/** `configure --dry-run`: every change as a diff, and none made. */
import { changeDiff } from '../../host/change-diff.ts';
import { describeJob } from '../boot-job.ts';
import { describeUndo, undoStepsOf } from '../unconfigure/undo.ts';
import type { Run } from './configure-facts.ts';
import type { ConfigurePlan } from './configure-plan.ts';

/** Says what a run would change; says nothing when that is nothing. */
export function showPlan(plan: ConfigurePlan, { layout, say }: Pick<Run, 'layout' | 'say'>): void {
  const { directories, keys, user, root, job, dropped } = plan;
  for (const { path, kind } of directories)
    say(kind === 'make' ? `# would make the directory ${path}` : `# would make private: ${path}`);
  if (keys.areMissing)
    say(
      `# would make keys in ${layout.keys}${keys.host === undefined ? "; until then the guest's key is not known" : ''}`,
    );
  for (const line of undoStepsOf(dropped).flatMap((step) => describeUndo(step, 'planned')))
    say(`# ${line}`);
  for (const change of [...user.changes, ...root.changes]) changeDiff(change).forEach(say);
  for (const line of describeJob(job)) say(job.kind === 'remove' ? `# ${line}` : line);
  for (const { path, purpose } of root.unseen)
    say(`# ${path}: ${purpose} (only root can see what is there, or make it)`);
  for (const { path, why, text: advice } of [...user.byHand, ...root.byHand]) {
    say(`# ${path} ${why}, so it would be left alone.`);
    for (const line of advice.split('\n')) say(`# ${line}`);
  }
}
