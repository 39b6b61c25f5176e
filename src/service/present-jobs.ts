/** The jobs that are here: those that an earlier configure had root write, and those that somebody else declared. */
import type { CliContext } from '../command/context.ts';
import type { Layout } from '../config/layout.ts';
import { OthersFiles } from '../system/files/others-files.ts';
import { declaredIn, type DeclaredJob } from './declared-job.ts';
import { jobPaths, treeOf } from './job-paths.ts';
import { xmlText } from './launchd/launch-agent.ts';
import { isJobOf, jobMark, systemJobPath, type SystemJob } from './system-job.ts';
import { unitHead } from './systemd/systemd-unit.ts';

/** The system's own job that an earlier configure had root write for this state directory, or for any. */
export function presentSystemJob(
  { root }: Layout,
  context: CliContext,
  whose: 'ours' | 'any' = 'ours',
): SystemJob | undefined {
  const tree = treeOf(context);
  return (['launchd', 'systemd'] as const).flatMap((kind) => {
    const text = textAt(systemJobPath(kind, tree)) ?? '';
    const job = { kind, tree, text };
    const isOf = whose === 'any' || isJobOf(job, root);
    return text.includes(jobMark) && isOf ? [job] : [];
  })[0];
}

/** A job of our label that somebody else declared: the system's before the user's. */
export function declaredJob(context: CliContext): DeclaredJob | undefined {
  const { plist, launcher, unit } = jobPaths(context);
  const tree = treeOf(context);
  const places = [
    { kind: 'launchd', scope: 'system', path: systemJobPath('launchd', tree) },
    { kind: 'systemd', scope: 'system', path: systemJobPath('systemd', tree) },
    { kind: 'launchd', scope: 'user', path: plist },
    { kind: 'systemd', scope: 'user', path: unit },
  ] as const;
  return places.flatMap((place) => {
    const text = textAt(place.path) ?? '';
    const isOurs = [jobMark, xmlText(launcher), unitHead].some((mark) => text.includes(mark));
    const job = isOurs ? undefined : declaredIn(text, place);
    return job === undefined ? [] : [job];
  })[0];
}

/** Undefined also where it cannot be read. */
function textAt(path: string): string | undefined {
  return new OthersFiles().read(path);
}
