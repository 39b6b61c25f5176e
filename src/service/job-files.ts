/** The files by which the daemon is started at login or at boot, as these settings want them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CliContext } from '../command/context.ts';
import type { Config } from '../config/config.ts';
import type { Layout } from '../config/layout.ts';
import type { WantedFile } from '../host/file-change.ts';
import { thisUser } from '../system/host/user.ts';
import { namesOnPath } from '../system/process/find-program.ts';
import type { ServiceKind } from './declared-job.ts';
import { homesOf, jobPaths, treeOf } from './job-paths.ts';
import { jobPrograms } from './job-programs.ts';
import { lastingName } from './lasting-name.ts';
import { agentFiles, daemonPath, type JobValues } from './launchd/launch-agent.ts';
import { declaredJob } from './present-jobs.ts';
import { serviceKind } from './service-kind.ts';
import { systemPlist, systemUnit, type SystemJob } from './system-job.ts';
import { unitFile } from './systemd/systemd-unit.ts';

/** Every file by which the daemon may be started at login here, wanted or not. */
export function servicePaths(context: CliContext): readonly string[] {
  const { plist, launcher, log, unit } = jobPaths(context);
  return [launcher, plist, log, unit];
}

/** What a job with these files writes by itself, beside what the daemon does. */
export function serviceLogs(files: readonly WantedFile[], context: CliContext): readonly string[] {
  const { launcher, log } = jobPaths(context);
  return files.some(({ path }) => path === launcher) ? [log] : [];
}

/** The files that shall be there with these settings. */
export function serviceFiles(
  layout: Layout,
  config: Config,
  context: CliContext,
): readonly WantedFile[] {
  const kind = serviceKind(context.env);
  const when = startTime(config, kind);
  if (when === undefined || declaredJob(context) !== undefined) return [];
  const { home, configHome } = homesOf(context);
  const values = jobValues(layout, config, context);
  if (kind === 'systemd') return when === 'boot' ? [] : [unitFile(configHome, values)];
  const starts = when === 'boot' ? { starts: when } : {};
  const files = agentFiles(home, { ...values, ...starts }, templatesOf(context));
  // The launcher runs as the user in either case, so that it is the user's; at boot the plist is root's.
  return when === 'boot' ? files.slice(0, 1) : files;
}

const templatesOf = ({ assets }: CliContext) => {
  const template = (name: string) => readFileSync(join(assets, 'launchd', name), 'utf8');
  return {
    plist: template('org.nix-community.linuxkit-builder.plist'),
    launcher: template('launcher.sh'),
  };
};

/** When the daemon shall be started by itself, with these settings. */
function startTime({ autostart }: Config, kind: ServiceKind): 'login' | 'boot' | undefined {
  const wanted = autostart ?? kind === 'launchd';
  if (wanted === true) return 'login';
  return wanted === false ? undefined : wanted;
}

/** The system's own job that shall be there with these settings, for root to write. */
export function wantedSystemJob(
  layout: Layout,
  config: Config,
  context: CliContext,
): SystemJob | undefined {
  const kind = serviceKind(context.env);
  if (startTime(config, kind) !== 'boot' || declaredJob(context) !== undefined) return undefined;
  const values = jobValues(layout, config, context);
  const { name, home } = thisUser();
  const { launcher } = jobPaths(context);
  const text =
    kind === 'systemd'
      ? systemUnit(values, name)
      : systemPlist(templatesOf(context).plist, { ...values, launcher }, { name, home });
  return { kind, tree: treeOf(context), text };
}

/** What stands in the files of a job: Node and this program, each also by the name that still leads to it after an upgrade. */
function jobValues({ root }: Layout, config: Config, { assets, env }: CliContext): JobValues {
  const { home, name: user } = thisUser();
  const named = (file: string, program: string) =>
    lastingName(file, { home, user, onPath: namesOnPath(program, env['PATH']) });
  const node = process.execPath;
  const main = join(assets, 'dist/main.js');
  return {
    node,
    named: named(node, 'node'),
    main,
    namedMain: named(main, 'linuxkit-builder'),
    state: root,
    path: daemonPath(jobPrograms(config, env['PATH'])),
  };
}
