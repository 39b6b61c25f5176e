/** Which keeper of this system starts our daemon, and how it is reached. */
import { sha256 } from '../system/digest.ts';
import type { Layout } from '../config/layout.ts';
import { receiptsForUs } from '../host/receipts.ts';
import { makeDirectory, readIfThere, writeWhole } from '../system/files/files.ts';
import { rootProgram } from '../system/process/become-root.ts';
import { quotedWord, shellWord } from '../system/shell.ts';
import { findProgram, systemPath, tryProgram } from '../system/process/find-program.ts';
import type { CliContext } from '../command/context.ts';
import type { DeclaredJob, ServiceKind } from './declared-job.ts';
import { declaredJob, jobPaths, presentSystemJob, treeOf } from './job-files.ts';
import { hasKeeper, type Service } from './keeper.ts';
import { launchdService } from './launchd/launchd-service.ts';
import { systemJobPath } from './system-job.ts';
import { systemdService } from './systemd/systemd-service.ts';
import { unitWord } from './systemd/systemd-unit.ts';

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
  const recorded = receiptsForUs(layout.receipts).map(({ path }) => path);
  if (recorded.includes(plist) && says(launcher, quotedWord(layout.root)))
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
  isSystem && env['LINUXKIT_BUILDER_TREE'] === undefined ? systemPath : env['PATH'];

/** Shown before it is run where a password may be asked for. */
function asRoot(argv: readonly string[], context: CliContext): readonly string[] {
  if (process.getuid?.() === 0) return argv;
  const program = rootProgram(context.env['PATH']);
  context.err(rootNotice(program, argv));
  return [program, ...argv];
}

export const rootNotice = (program: string, argv: readonly string[]): string =>
  `Running as root, with ${program}: ${argv.map(shellWord).join(' ')}`;

/** Of all that its keeper runs: Node and our own place stand in the launcher and not in the plist. */
function digestOf(paths: readonly string[]): string {
  const texts = paths.map((path) => readIfThere(path) ?? null);
  return sha256(JSON.stringify(texts));
}
