/** Where the files are by which the daemon is started, and what stands there: of ours, and of whoever else declared it. */
import { join } from 'node:path';
import type { Layout } from '../config/layout.ts';
import { systemPathsOf } from '../host/system-paths.ts';
import { OthersFiles } from '../system/files/others-files.ts';
import type { CliContext } from '../command/context.ts';
import { declaredIn, type DeclaredJob } from './declared-job.ts';
import { agentPaths, xmlText } from './launchd/launch-agent.ts';
import { unitHead, unitPath } from './systemd/systemd-unit.ts';
import { isJobOf, jobMark, systemJobPath, type SystemJob } from './system-job.ts';

/** Those of the user; each is one for all of a user's builders. */
export function jobPaths(context: CliContext) {
  const tree = treeOf(context);
  const { home } = systemPathsOf(tree);
  const configHome = context.env['XDG_CONFIG_HOME'];
  const own = configHome?.startsWith('/') === true ? join(tree, configHome) : undefined;
  return { ...agentPaths(home), unit: unitPath(own ?? join(home, '.config')) };
}

/** What stands for /; empty where that is / itself. */
export const treeOf = ({ env }: CliContext): string => env['LINUXKIT_BUILDER_TREE'] ?? '';

/** Every file by which the daemon may be started at login here, wanted or not. */
export const servicePaths = (context: CliContext): readonly string[] =>
  Object.values(jobPaths(context));

/** The system's own job that an earlier configure had root write for this state directory, or for any. */
export function presentSystemJob(
  { root }: Layout,
  context: CliContext,
  whose: 'ours' | 'any' = 'ours',
): SystemJob | undefined {
  const tree = treeOf(context);
  const others = new OthersFiles();
  return (['launchd', 'systemd'] as const).flatMap((kind) => {
    const text = others.read(systemJobPath(kind, tree)) ?? '';
    const job = { kind, tree, text };
    const isOf = whose === 'any' || isJobOf(job, root);
    return text.includes(jobMark) && isOf ? [job] : [];
  })[0];
}

/** A job of our label that somebody else declared: the system's before the user's. */
export function declaredJob(context: CliContext): DeclaredJob | undefined {
  const { plist, launcher, unit } = jobPaths(context);
  const tree = treeOf(context);
  const others = new OthersFiles();
  const candidates = [
    { kind: 'launchd', scope: 'system', path: systemJobPath('launchd', tree) },
    { kind: 'systemd', scope: 'system', path: systemJobPath('systemd', tree) },
    { kind: 'launchd', scope: 'user', path: plist },
    { kind: 'systemd', scope: 'user', path: unit },
  ] as const;
  return candidates.flatMap((place) => {
    const text = others.read(place.path) ?? '';
    const isOurs = [jobMark, xmlText(launcher), unitHead].some((mark) => text.includes(mark));
    const job = isOurs ? undefined : declaredIn(text, place);
    return job === undefined ? [] : [job];
  })[0];
}
