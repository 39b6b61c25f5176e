/** Root's part of the job by which the system starts the daemon at boot: what is to be done about it, as data; and doing it. */
import { layoutOf, type Layout } from '../config/layout.ts';
import type { CliContext } from '../command/context.ts';
import { changeDiff } from '../host/change-diff.ts';
import { examine, type WantedFile } from '../host/file-change.ts';
import type { Owner } from '../host/installed.ts';
import { presentSystemJob } from '../service/job-files.ts';
import {
  jobRemovalScript,
  jobScript,
  jobUser,
  systemJobFile,
  systemJobPath,
  type SystemJob,
} from '../service/system-job.ts';
import { handToRoot } from './root/run-script.ts';

export type JobPlan =
  /** It is as it should be. */
  | { readonly kind: 'right' }
  | { readonly kind: 'write'; readonly file: WantedFile; readonly script: string }
  | { readonly kind: 'remove'; readonly path: string; readonly script: string };

/** What it takes to have the one that is wanted, or none. */
export function jobPlan(
  wanted: SystemJob | undefined,
  { layout, context, owner }: { layout: Layout; context: CliContext; owner: Owner },
): JobPlan {
  const present = presentSystemJob(layout, context);
  if (wanted === undefined) return removalOf(present);
  return wanted.text === present?.text
    ? { kind: 'right' }
    : { kind: 'write', file: systemJobFile(wanted), script: jobScript(wanted, owner) };
}

/** Taking it away, where it is this builder's. */
export const jobRemoval = (layout: Layout, context: CliContext): JobPlan =>
  removalOf(presentSystemJob(layout, context));

function removalOf(present: SystemJob | undefined): JobPlan {
  if (present === undefined) return { kind: 'right' };
  const path = systemJobPath(present.kind, present.tree);
  return { kind: 'remove', path, script: jobRemovalScript(present) };
}

/** What would be done, in words. */
export function describeJob(job: JobPlan): string[] {
  if (job.kind === 'right') return [];
  if (job.kind === 'remove') return [`Would delete ${job.path} and stop the daemon`];
  const examined = examine(job.file);
  return examined.kind === 'change'
    ? changeDiff(examined.change)
    : [`# ${job.file.path}: ${job.file.purpose} (only root can read the current file)`];
}

/** Does it as root; what it said. With `print` its script is given to that instead, for an administrator. */
export const settleJob = (
  { kind, script }: { readonly kind: keyof typeof refusals; readonly script: string },
  context: CliContext,
  print?: (line: string) => void,
): Promise<readonly string[]> =>
  handToRoot(script, { what: 'The job at boot was', refused: refusals[kind] }, context, print);

/** Takes it away for whoever asks by root's own copy of this program: his own alone, or, with nobody named, anybody's. */
export async function removeJobOf(user: string | undefined, context: CliContext): Promise<void> {
  const present = presentSystemJob(layoutOf('/'), context, 'any');
  if (present === undefined) return;
  if (user !== undefined && jobUser(present) !== user)
    return context.out(leftJobOf(jobUser(present), systemJobPath(present.kind, present.tree)));
  const script = jobRemovalScript(present, user);
  const said = await settleJob({ kind: 'remove', script }, context);
  said.forEach((line) => context.out(line));
}

export const leftJobOf = (user: string, path: string): string =>
  `Left ${path}: it is the job of user ${user}.`;

const hint =
  'Run it again as a user who can use sudo, or have an administrator run, as root, what it prints with --no-root.';

/** What is true where root's script fails. A removal goes on as far as it can, and says what it could not do. */
export const refusals = {
  write: { so: 'the job at boot is unchanged.', hint },
  remove: { so: 'see its output.', hint },
} as const;
