/** Root's part of the job by which the system starts the daemon at boot: what is to be done about it, as data; and doing it. */
import { layoutOf, type Layout } from '../config/layout.ts';
import type { Config } from '../config/config.ts';
import type { CliContext } from '../command/context.ts';
import { changeDiff } from '../host/change-diff.ts';
import { examine, type WantedFile } from '../host/file-change.ts';
import type { Owner } from '../host/installed.ts';
import { wantedSystemJob } from '../service/job-files.ts';
import { presentSystemJob } from '../service/present-jobs.ts';
import {
  jobRemovalScript,
  jobScript,
  jobUser,
  systemJobFile,
  systemJobPath,
} from '../service/system-job.ts';
import { forAdministrator, runScript } from './root/root-files.ts';
import { rootProgram } from '../system/process/become-root.ts';

export type JobPlan =
  /** It is as it should be. */
  | { readonly kind: 'right' }
  | { readonly kind: 'write'; readonly file: WantedFile; readonly script: string }
  | { readonly kind: 'remove'; readonly path: string; readonly script: string };

/** What these settings ask for. */
export function jobPlan(
  config: Config,
  { layout, context, owner }: { layout: Layout; context: CliContext; owner: Owner },
): JobPlan {
  const wanted = wantedSystemJob(layout, config, context);
  if (wanted === undefined) return jobRemoval(layout, context);
  return wanted.text === presentSystemJob(layout, context)?.text
    ? { kind: 'right' }
    : { kind: 'write', file: systemJobFile(wanted), script: jobScript(wanted, owner) };
}

/** Taking it away, where it is this builder's. */
export function jobRemoval(layout: Layout, context: CliContext): JobPlan {
  const present = presentSystemJob(layout, context);
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
export async function settleJob(
  job: Exclude<JobPlan, { kind: 'right' }>,
  context: CliContext,
  print?: (line: string) => void,
): Promise<readonly string[]> {
  if (print === undefined) return runAsRoot(job.script, context, job.kind);
  // Alone where it goes, so that it can be kept or piped.
  context.err(forAdministrator('The job at boot was'));
  job.script.trimEnd().split('\n').forEach(print);
  return [];
}

/** Takes it away for whoever asks by root's own copy of this program: his own alone, or, with nobody named, anybody's. */
export async function removeJobOf(user: string | undefined, context: CliContext): Promise<void> {
  const present = presentSystemJob(layoutOf('/'), context, 'any');
  if (present === undefined) return;
  if (user !== undefined && jobUser(present) !== user)
    return context.out(leftJobOf(jobUser(present), systemJobPath(present.kind, present.tree)));
  const said = await runAsRoot(jobRemovalScript(present, user), context, 'remove');
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

const runAsRoot = (
  script: string,
  context: CliContext,
  kind: keyof typeof refusals,
): Promise<readonly string[]> =>
  runScript(script, {
    isRoot: process.getuid?.() === 0,
    sudo: rootProgram(),
    signal: context.signal,
    err: (line) => context.err(line),
    refused: refusals[kind],
  });
