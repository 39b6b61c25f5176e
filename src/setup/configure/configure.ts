/** What `configure` does, in order: check everything, then write; the user's part under the start lock, then root's. */
import { parseConfig, type Config } from '../../config/config.ts';
import { layoutOf, type Layout } from '../../config/layout.ts';
import { nativeSystem } from '../../domain/guest-system.ts';
import {
  discardIdentity,
  ensureIdentity,
  readIdentity,
  type Identity,
} from '../../guest/identity/identity.ts';
import {
  applyUserChanges,
  recordReceipts,
  recordRight,
  userFiles,
  userNeeds,
  type Builder,
} from '../builder-files.ts';
import { applyDirectoryChange, directoryChanges } from '../directories.ts';
import { keepOutOfBackups } from '../backups.ts';
import { rootPart, sayByHand, sayUnchanged } from './root-part.ts';
import { keepPrograms } from './gc-roots.ts';
import { withLegacy } from './take-over.ts';
import { finishTakeOver, setAside } from '../legacy.ts';
import { replacesTheirs, type FileChange } from '../../host/file-change.ts';
import { doorProxy } from '../../nix/ssh/door-helper.ts';
import { effectLines, effectsOf } from './effects.ts';
import { extraSystemWarnings } from '../../nix/extra-systems.ts';
import { featureWarnings } from '../../nix/features.ts';
import { readInstalled, refuseSecondUser } from '../../host/installed.ts';
import { refuseSecondDirectory } from '../../host/other-builder.ts';
import { systemPathsOf, rootPaths, type SystemPaths } from '../../host/system-paths.ts';
import { logReceipt } from '../../host/receipts.ts';
import { describeNix, machinesKeeper, type NixVariant } from '../../nix/variant.ts';
import { sizeWarnings, describeSizes } from './size-warnings.ts';
import { whereSet } from '../../nix/ssh/where-set.ts';
import { describeLeft } from '../../nix/ssh/taken-back.ts';
import { warningsOf } from '../../nix/warnings.ts';
import { markDirectory } from '../../host/state-directory.ts';
import { readIfThere, sizeIfThere } from '../../system/files/files.ts';
import { hostFacts } from '../../system/host/host.ts';
import { diskProblem } from '../../supervisor/disk/disk-size.ts';
import { Failed } from '../../system/failure.ts';
import { withOperationLock } from '../../system/lock/lock.ts';
import { check } from './check-request.ts';
import type { ConfigureFlags } from './request.ts';
import { gainLines } from './gain.ts';
import { dropService, plannedJob, settleSystemJob } from './login-job.ts';
import type { CliContext } from '../../command/context.ts';
import { jobPrograms } from '../../service/job-programs.ts';
import { guestHasKvm, guestRunsI686 } from '../guest-can.ts';
import { findNix } from '../../nix/this-nix.ts';
import { ownerOf } from '../root/report-drift.ts';
import { serviceFiles, serviceLogs } from '../../service/service.ts';
import { rootSsh, rootTakenBack, userSsh, userTakenBack } from '../../nix/ssh/user-ssh.ts';

/** One run: what was asked, where, and what was said of it. */
interface Run {
  readonly tree: string;
  readonly nix: NixVariant | undefined;
  readonly flags: ConfigureFlags;
  readonly context: CliContext;
  readonly layout: Layout;
  readonly places: SystemPaths;
  readonly say: (line: string) => void;
}

/** Checks all of it, then changes what differs and says what that was. */
export async function runConfigure(given: ConfigureFlags, context: CliContext): Promise<void> {
  const { flags, legacy } = withLegacy(given);
  const kvm = await guestHasKvm(layoutOf(flags.root), context);
  const wantsExtra = check(flags, kvm).config.extraSystems.length > 0;
  const i686 = wantsExtra ? await guestRunsI686(layoutOf(flags.root), context) : undefined;
  const settings = check(flags, kvm, i686);
  const tree = context.env['LINUXKIT_BUILDER_TREE'] ?? '';
  const places = systemPathsOf(tree);
  refuseSecondUser(readInstalled(rootPaths(places).installed), ownerOf(flags.root).uid);
  refuseSecondDirectory(places, flags.root);
  let said = 0;
  const run: Run = {
    flags,
    context,
    tree,
    nix: await findNix(context),
    layout: layoutOf(flags.root),
    places,
    say: (line) => {
      said++;
      // What is on the output with --no-root is for an administrator to run.
      if (!flags.quiet) context[flags.skipRoot && !flags.dryRun ? 'err' : 'out'](line);
    },
  };
  if (currentConfig(flags) === undefined)
    run.say(describeSizes(settings.config, hostFacts(flags.root)));
  if (flags.dryRun) {
    const { showChanges } = await import('./configure-dry-run.ts');
    const hasKeys = sizeIfThere(run.layout.clientKey) !== undefined;
    const keys = hasKeys ? keysOf(readIdentity(run.layout)) : undefined;
    const service = serviceFiles(run.layout, settings.config, context);
    showChanges({
      ...run,
      owner: ownerOf(flags.root),
      service,
      keeper: keeperOf(run),
      userSsh: await userSsh(run),
      rootSsh: await rootSsh({ ...run, sudo: false }),
      proxy: await doorProxy(settings.config, places, context.signal),
      settings,
      keys,
      job: plannedJob(settings.config, run),
    });
  } else {
    const old = currentConfig(flags);
    if (legacy !== undefined)
      run.say(`Set aside what was linuxkit-nix's: ${setAside(run.layout, legacy)}`);
    const builder = await userPart(run);
    finishTakeOver(run.layout);
    await rootPart(run, builder);
    await settleSystemJob(builder.config, { ...run, ...flags, owner: builder.owner });
    await adviseRestart(run, old, builder.config);
  }
  const { system } = settings.config;
  const ownSystem = process.platform === 'linux' ? nativeSystem(process.arch) : undefined;
  const conflictOptions = { ...run, variant: run.nix, system, ownSystem, env: context.env };
  const warnings = [
    ...featureWarnings(settings.config.features, kvm),
    ...extraSystemWarnings(settings.config, i686),
    ...sizeWarnings(settings.config, hostFacts(flags.root)),
    ...warningsOf(conflictOptions),
    ...(await sshWarnings(run)),
  ];
  for (const warning of warnings) context.err(`Warning: ${warning}`);
  const { config } = settings;
  gainLines({ config, layout: run.layout, path: context.env['PATH'] }).forEach(run.say);
  if (said > 0 && run.nix !== undefined) run.say(`This machine has ${describeNix(run.nix)}.`);
  if (said === 0) run.say('Nothing to change.');
}

/** Of options for every host that our lines do not take back. */
async function sshWarnings(run: Run): Promise<readonly string[]> {
  const user = await userTakenBack(run);
  const root = await rootTakenBack({ ...run, sudo: !run.flags.skipRoot && !run.flags.dryRun });
  return [
    ...describeLeft(user.left, (name) => whereSet(name, { ...run, who: 'user' })),
    ...describeLeft(root.left, (name) => whereSet(name, { ...run, who: 'root' })),
  ].filter((sentence, index, all) => all.indexOf(sentence) === index);
}

/** What the builder is before this run; undefined where that is nothing, or nonsense. */
function currentConfig({ root }: ConfigureFlags): Config | undefined {
  const text = readIfThere(layoutOf(root).config);
  const parsed = text === undefined ? undefined : parseConfig(text, hostFacts(root));
  return parsed?.ok === true ? parsed.config : undefined;
}

/** State directory, keys, the user's files. What was written is whole at every moment, so an end in between harms nothing. */
async function userPart(run: Run): Promise<Builder> {
  const { layout, context, flags, places, say } = run;
  const changes = directoryChanges(layout);
  markDirectory(layout);
  for (const change of changes) {
    applyDirectoryChange(change);
    say(`${change.kind === 'make' ? 'Made' : 'Made private:'} ${change.path}`);
  }
  const { clock, signal } = context;
  const onWaiting = () => context.err('Another command is at work in this directory; waiting.');
  return withOperationLock(layout.startLock, { clock, signal, onWaiting }, async (lost) => {
    // Again, since what was there may have changed before we were alone.
    const { config, text } = check(flags);
    const tooLarge = diskProblem(layout.disk, config.diskGiB);
    if (tooLarge !== undefined) throw new Failed(tooLarge);
    const hadKeys = sizeIfThere(layout.clientKey) !== undefined;
    if (flags.renewKeys === true) discardIdentity(layout);
    const identity = await ensureIdentity(layout, signal);
    if (!hadKeys || flags.renewKeys === true) say(`Made keys in ${layout.keys}`);
    const owner = ownerOf(flags.root);
    const service = serviceFiles(layout, config, context);
    const logs = serviceLogs(service, context);
    const wanted = [...service.map(({ path }) => path), ...logs];
    await dropService(layout, context, { wanted, say });
    const settingsText = text;
    const keeper = keeperOf(run);
    const proxy = await doorProxy(config, places, signal);
    const ssh = await userSsh(run);
    const rest = { owner, service, keeper, config, settingsText, proxy, ...ssh };
    const builder = { layout, places, ...rest, ...keysOf(identity) };
    const { changes, right, byHand } = userNeeds(builder);
    const stop = AbortSignal.any([lost, signal]);
    recordRight(right, { layout, now: clock.now() });
    recordReceipts(
      layout,
      logs.map((path) => logReceipt(path, clock.now())),
    );
    applyUserChanges(changes, { layout, now: clock.now(), stop });
    changes.flatMap(changeWords).forEach(say);
    sayUnchanged(
      run,
      userFiles(builder),
      changes.map(({ wanted }) => wanted.path),
    );
    sayByHand(run, byHand);
    await keepOutOfBackups(layout, context, say);
    const programs = service.length > 0 ? jobPrograms(config, context.env['PATH']) : undefined;
    await keepPrograms(layout, context, { programs, say });
    const changed = changes.map(({ wanted }) => wanted.path);
    const isTold = byHand.every(({ path }) => service.every((file) => file.path !== path));
    if (isTold && service.some(({ path }) => changed.includes(path)))
      say('The daemon starts at your next login; now: linuxkit-builder start');
    return builder;
  });
}

function changeWords(change: FileChange): string[] {
  const { path, purpose } = change.wanted;
  const wrote = `Wrote ${path}: ${purpose}`;
  return replacesTheirs(change)
    ? [wrote, `  It replaces a file of yours, which unconfigure puts back.`]
    : [wrote];
}

/** Nothing is restarted by us: somebody's build may be running. What runs may be other than what the file said before. */
async function adviseRestart({ layout, context, say }: Run, old: Config | undefined, now: Config) {
  // Where no daemon ever was, nothing is loaded to ask it.
  if ([layout.log, layout.status].every((path) => sizeIfThere(path) === undefined)) return;
  const { findStatus } = await import('../../client/found.ts');
  const found = await findStatus(layout, context);
  if (found.daemon === 'gone') return;
  const { phase, builder } = found.status;
  // Without a guest the daemon takes them by itself.
  const { traitsOf } = await import('../../supervisor/lifecycle/phases.ts');
  if (traitsOf(phase).guest === 'none') return;
  const base = old ?? now;
  const runs =
    builder === undefined
      ? old
      : // Which program `auto` has taken is no other setting.
        {
          ...base,
          ...builder,
          bundle: builder.bundle,
          ...(base.vm === 'auto' ? { vm: base.vm } : {}),
          ...(base.network === 'auto' ? { network: base.network } : {}),
        };
  effectLines(effectsOf(runs, now)).forEach(say);
}

const keeperOf = ({ nix }: Run) => machinesKeeper(nix);

const keysOf = ({ host }: Identity) => ({ hostPublicKey: host.public });
