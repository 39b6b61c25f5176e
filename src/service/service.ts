/** Which keeper of this system starts our daemon at login, what it is told, and how it is reached. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config/config.ts';
import type { Layout } from '../config/layout.ts';
import type { WantedFile } from '../host/file-change.ts';
import {
  agentFiles,
  agentPaths,
  daemonPath,
  shellText,
  xmlText,
  type JobValues,
} from './launchd/launch-agent.ts';
import { lastingName } from './lasting-name.ts';
import { launchdService } from './launchd/launchd-service.ts';
import { systemPathsOf } from '../host/system-paths.ts';
import { readReceipts } from '../host/receipts.ts';
import { rootNotice, type Service } from './keeper.ts';
import { systemdService } from './systemd/systemd-service.ts';
import { unitFile, unitHead, unitPath, unitWord } from './systemd/systemd-unit.ts';
import { OthersFiles } from '../system/files/others-files.ts';
import { declaredIn, type DeclaredJob, type ServiceKind } from './declared-job.ts';
import {
  isJobOf,
  jobMark,
  systemJobPath,
  systemPlist,
  systemUnit,
  type SystemJob,
} from './system-job.ts';
import { makeDirectory, readIfThere, writeWhole } from '../system/files/files.ts';
import { findProgram, namesOnPath, tryProgram } from '../system/process/find-program.ts';
import { thisUser } from '../system/host/user.ts';
import type { CliContext } from '../command/context.ts';
import { jobPrograms } from './job-programs.ts';
import { hasKeeper, serviceKind } from './service-kind.ts';

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

const treeOf = ({ env }: CliContext): string => env['LINUXKIT_BUILDER_TREE'] ?? '';

/** Who keeps this state directory's daemon: as configure has told them, or as somebody else has declared it; undefined when the user starts it. */
export function serviceFor(layout: Layout, context: CliContext): Service | undefined {
  const system = presentSystemJob(layout, context);
  if (system !== undefined) return serviceOf(system.kind, layout, context, { isSystem: true });
  const declared = declaredJob(context);
  if (declared !== undefined && (declared.directory ?? layout.root) === layout.root)
    return serviceOf(declared.kind, layout, context, {
      isSystem: declared.scope === 'system',
      declared,
    });
  return userServiceFor(layout, context);
}

/** The same of the user's own jobs. */
export function userServiceFor(layout: Layout, context: CliContext): Service | undefined {
  const { plist, launcher, unit } = jobPaths(context);
  // The state directory is in the launcher and in the unit; each is one for all of a user's.
  const says = (path: string, word: string) => readIfThere(path)?.includes(word) !== false;
  const recorded = readReceipts(layout.receipts).map(({ path }) => path);
  if (recorded.includes(plist) && says(launcher, shellText(layout.root)))
    return serviceOf('launchd', layout, context);
  const isUnit = recorded.includes(unit) && says(unit, unitWord(layout.root));
  return isUnit ? serviceOf('systemd', layout, context) : undefined;
}

/** That keeper, whether it was told of a daemon or not. */
export function serviceOf(
  kind: ServiceKind,
  layout: Layout,
  context: CliContext,
  { isSystem = false, declared }: { isSystem?: boolean; declared?: DeclaredJob } = {},
): Service {
  const { launcher, ...own } = jobPaths(context);
  const system = systemJobPath(kind, treeOf(context));
  const [plist, unit] = isSystem ? [system, system] : [own.plist, own.unit];
  const { clock, signal, env } = context;
  const path = managersPath(isSystem, env);
  const seen = (...paths: readonly string[]) => ({
    signal,
    isSystem,
    asRoot: (argv: readonly string[]) => asRoot(argv, context),
    ...(declared && { declared }),
    isChanged: () =>
      declared === undefined && digestOf(paths) !== readIfThere(layout.serviceLoaded),
    onLoaded: () => {
      makeDirectory(layout.state);
      writeWhole(layout.serviceLoaded, digestOf(paths));
    },
  });
  if (kind === 'launchd') {
    const launchctl = findProgram('launchctl', path);
    const uid = process.getuid?.() ?? 0;
    return launchdService({ uid, plist, launchctl, clock, ...seen(plist, launcher) });
  }
  const systemctl = hasKeeper(env) ? tryProgram('systemctl', path) : undefined;
  return systemdService({ systemctl, ...seen(unit) });
}

/** Root runs nothing that a user's PATH leads to. */
const managersPath = (isSystem: boolean, env: NodeJS.ProcessEnv): string | undefined =>
  isSystem && env['LINUXKIT_BUILDER_TREE'] === undefined
    ? '/usr/bin:/bin:/usr/sbin:/sbin:/run/current-system/sw/bin'
    : env['PATH'];

/** Shown before it is run where a password may be asked for. */
function asRoot(argv: readonly string[], context: CliContext): readonly string[] {
  if (process.getuid?.() === 0) return argv;
  context.err(rootNotice(argv));
  return ['sudo', ...argv];
}

/** Where the files of a job are; each is one for all builders of a user. */
export function jobPaths(context: CliContext) {
  const { home, configHome } = homesOf(context);
  return { ...agentPaths(home), unit: unitPath(configHome) };
}

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

function homesOf({ env }: CliContext) {
  const tree = env['LINUXKIT_BUILDER_TREE'] ?? '';
  const { home } = systemPathsOf(tree);
  const configHome = env['XDG_CONFIG_HOME'];
  const own = configHome?.startsWith('/') === true ? join(tree, configHome) : undefined;
  return { home, configHome: own ?? join(home, '.config') };
}

/** Of all that its keeper runs: Node and our own place stand in the launcher and not in the plist. */
function digestOf(paths: readonly string[]): string {
  const texts = paths.map((path) => readIfThere(path) ?? null);
  return createHash('sha256').update(JSON.stringify(texts)).digest('hex');
}
