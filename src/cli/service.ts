/** Which keeper of this system starts our daemon at login, what it is told, and how it is reached. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import type { Config } from '../config/config.ts';
import type { Layout } from '../config/layout.ts';
import type { WantedFile } from '../host/file-change.ts';
import { agentFiles, agentPaths, daemonPath, type JobValues } from '../host/launch-agent.ts';
import { lastingName } from '../host/lasting-name.ts';
import { launchdService } from '../host/launchd-service.ts';
import { placesOf } from '../host/places.ts';
import { readReceipts } from '../host/receipts.ts';
import type { Service } from '../host/service.ts';
import { systemdService } from '../host/systemd-service.ts';
import { unitFile, unitPath } from '../host/systemd-unit.ts';
import { makeDirectory, readIfThere, writeWhole } from '../system/files.ts';
import { findProgram, namesOnPath } from '../system/program.ts';
import type { CliContext } from './context.ts';
import { jobPrograms } from './job-programs.ts';

export type ServiceKind = 'launchd' | 'systemd';

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
  if (!(config.autostart ?? kind === 'launchd')) return [];
  const { home, configHome } = homesOf(context);
  const values = jobValues(layout, config, context);
  if (kind === 'systemd') return [unitFile(configHome, values)];
  const template = (name: string) => readFileSync(join(context.assets, 'launchd', name), 'utf8');
  return agentFiles(home, values, {
    plist: template('org.nix-community.linuxkit-builder.plist'),
    launcher: template('launcher.sh'),
  });
}

/** The keeper that configure has told of this state directory's daemon; undefined when the user starts it. */
export function serviceFor(layout: Layout, context: CliContext): Service | undefined {
  const { plist, launcher, unit } = jobPaths(context);
  // The state directory is in the launcher and in the unit; each is one for all of a user's.
  const isOurs = (path: string) => readIfThere(path)?.includes(layout.root) !== false;
  const recorded = readReceipts(layout.receipts).map(({ path }) => path);
  const isTold = (path: string, named = path) => recorded.includes(path) && isOurs(named);
  if (isTold(plist, launcher)) return serviceOf('launchd', layout, context);
  return isTold(unit) ? serviceOf('systemd', layout, context) : undefined;
}

/** That keeper, whether it was told of a daemon or not. */
export function serviceOf(kind: ServiceKind, layout: Layout, context: CliContext): Service {
  const { plist, launcher, unit } = jobPaths(context);
  const { clock, signal, env } = context;
  const seen = (...paths: readonly string[]) => ({
    signal,
    isChanged: () => digestOf(paths) !== readIfThere(layout.serviceLoaded),
    onLoaded: () => {
      makeDirectory(layout.state);
      writeWhole(layout.serviceLoaded, digestOf(paths));
    },
  });
  if (kind === 'launchd') {
    const launchctl = findProgram('launchctl', env['PATH']);
    const uid = process.getuid?.() ?? 0;
    return launchdService({ uid, plist, launchctl, clock, ...seen(plist, launcher) });
  }
  return systemdService({ systemctl: findProgram('systemctl', env['PATH']), ...seen(unit) });
}

/** Where the files of a job are; each is one for all builders of a user. */
export function jobPaths(context: CliContext) {
  const { home, configHome } = homesOf(context);
  return { ...agentPaths(home), unit: unitPath(configHome) };
}

/** Packagers and tests may say otherwise. */
function serviceKind(env: NodeJS.ProcessEnv): ServiceKind {
  const said = env['LINUXKIT_BUILDER_SERVICE'];
  if (said === 'launchd' || said === 'systemd') return said;
  return process.platform === 'darwin' ? 'launchd' : 'systemd';
}

function jobValues({ root }: Layout, config: Config, { assets, env }: CliContext): JobValues {
  const { homedir: home, username: user } = userInfo();
  const named = (file: string, program: string) =>
    lastingName(file, { home, user, onPath: namesOnPath(program, env['PATH']) });
  const node = process.execPath;
  const main = join(assets, 'dist/main.js');
  return {
    ...{ node, named: named(node, 'node') },
    ...{ main, namedMain: named(main, 'linuxkit-builder') },
    state: root,
    path: daemonPath(jobPrograms(config, env['PATH'])),
  };
}

function homesOf({ env }: CliContext) {
  const tree = env['LINUXKIT_BUILDER_TREE'] ?? '';
  const { home } = placesOf(tree);
  const configHome = env['XDG_CONFIG_HOME'];
  const own = configHome?.startsWith('/') === true ? join(tree, configHome) : undefined;
  return { home, configHome: own ?? join(home, '.config') };
}

/** Of all that its keeper runs: Node and our own place stand in the launcher and not in the plist. */
function digestOf(paths: readonly string[]): string {
  const texts = paths.map((path) => readIfThere(path) ?? null);
  return createHash('sha256').update(JSON.stringify(texts)).digest('hex');
}
