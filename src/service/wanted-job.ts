/** The job by which the daemon is started by itself, as the settings want it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config/config.ts';
import type { Layout } from '../config/layout.ts';
import type { WantedFile } from '../host/file-change.ts';
import { namesOnPath } from '../system/process/find-program.ts';
import { thisUser } from '../system/host/user.ts';
import type { CliContext } from '../command/context.ts';
import type { ServiceKind } from './declared-job.ts';
import { declaredJob, jobPaths, treeOf } from './job-files.ts';
import { jobPrograms } from './job-programs.ts';
import { lastingName } from './lasting-name.ts';
import { agentFiles, daemonPath, type JobValues } from './launchd/launch-agent.ts';
import { serviceKind } from './keeper.ts';
import { systemPlist, systemUnit, type SystemJob } from './system-job.ts';
import { fitForUnit, unitFile } from './systemd/systemd-unit.ts';

interface WantedJob {
  /** The user's files. */
  readonly files: readonly WantedFile[];
  /** What the job writes by itself, beside what the daemon does. */
  readonly logs: readonly string[];
  /** The system's own job, for root to write. */
  readonly system: SystemJob | undefined;
}

const none: WantedJob = { files: [], logs: [], system: undefined };

/** Nothing of it where the user starts the daemon, or somebody else has declared the job. */
export function wantedJob(layout: Layout, config: Config, context: CliContext): WantedJob {
  const kind = serviceKind(context.env);
  const when = startTime(config, kind);
  if (when === undefined || declaredJob(context) !== undefined) return none;
  const job = { when, values: jobValues(layout, config, context), context };
  return kind === 'systemd' ? unitJob(job) : agentJob(job);
}

interface Job {
  readonly when: 'login' | 'boot';
  readonly values: JobValues;
  readonly context: CliContext;
}

function unitJob({ when, values, context }: Job): WantedJob {
  const { unit } = jobPaths(context);
  const fitting = fitForUnit(values);
  if (when === 'login') return { ...none, files: [unitFile(unit, fitting)] };
  const text = systemUnit(fitting, thisUser().name);
  return { ...none, system: { kind: 'systemd', tree: treeOf(context), text } };
}

function agentJob({ when, values, context }: Job): WantedJob {
  const paths = jobPaths(context);
  const { launcher, log } = paths;
  const templates = templatesOf(context);
  const starts = when === 'boot' ? { starts: when } : {};
  const files = agentFiles(paths, { ...values, ...starts }, templates);
  if (when === 'login') return { ...none, files, logs: [log] };
  // The launcher runs as the user in either case, so that it is the user's; at boot the plist is root's.
  const text = systemPlist(templates.plist, { ...values, launcher }, thisUser());
  const system = { kind: 'launchd', tree: treeOf(context), text } as const;
  return { files: files.slice(0, 1), logs: [log], system };
}

/** When the daemon shall be started by itself, with these settings. */
function startTime({ autostart }: Config, kind: ServiceKind): 'login' | 'boot' | undefined {
  const wanted = autostart ?? kind === 'launchd';
  if (wanted === true) return 'login';
  return wanted === false ? undefined : wanted;
}

const templatesOf = ({ assets }: CliContext) => {
  const template = (name: string) => readFileSync(join(assets, 'launchd', name), 'utf8');
  return {
    plist: template('org.nix-community.linuxkit-builder.plist'),
    launcher: template('launcher.sh'),
  };
};

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
