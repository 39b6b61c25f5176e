/** Carrying out what configure has planned: the user's part under the lock of the state directory, then root's. */
import { discardIdentity, ensureIdentity } from '../../guest/identity/identity.ts';
import { waitingForOther } from '../../command/announce-slow.ts';
import { replacesTheirs, type FileChange } from '../../host/file-change.ts';
import { markDirectory } from '../../host/directory/directory-mark.ts';
import { refuseListed } from '../../host/directory/private-directories.ts';
import { jobPrograms } from '../../service/job-programs.ts';
import { diskProblem } from '../../supervisor/disk/disk-size.ts';
import { Failed } from '../../system/failure.ts';
import { withOperationLock } from '../../system/lock/lock.ts';
import { keepOutOfBackups } from '../backups.ts';
import { applyDirectoryChange, type DirectoryChange } from '../directories.ts';
import { finishTakeOver, setAside, type LegacyState } from '../legacy.ts';
import { userSsh } from '../../nix/ssh/user-ssh.ts';
import { applyJournalled } from '../survey.ts';
import type { ConfigureFacts, ConfigureRun } from './configure-facts.ts';
import { planOf, type ConfigurePlan } from './configure-plan.ts';
import { keepPrograms } from './gc-roots.ts';
import { dropService, settleBootJob } from './login-job.ts';
import { rootPart, sayByHand, sayUnchanged } from './root-part.ts';
import { hasKeeper } from '../../service/keeper.ts';
import { advice, ours } from '../../system/advice.ts';

/** What was done: what was planned, as it stood when nobody else was at work there. */
export async function applyPlan(
  planned: ConfigurePlan,
  {
    run,
    facts,
    legacy,
  }: { run: ConfigureRun; facts: ConfigureFacts; legacy: LegacyState | undefined },
): Promise<ConfigurePlan> {
  const { layout, say } = run;
  refuseDisk(planned, run);
  await refuseListed(layout);
  if (legacy !== undefined) say(movedLegacy(setAside(layout, legacy)));
  makeDirectories(legacy === undefined ? planned : await planOf(run, facts), run);
  // Those that were made may have their parent's list.
  await refuseListed(layout);
  const plan = await userPart(run, facts);
  finishTakeOver(layout);
  await rootPart(run, plan.root);
  await settleBootJob(plan.job, run);
  return plan;
}

function refuseDisk({ config }: ConfigurePlan, { layout }: ConfigureRun): void {
  const tooLarge = diskProblem(layout.disk, config.diskGiB);
  if (tooLarge !== undefined) throw new Failed(tooLarge);
}

/** Its mark comes before anything else is in it. */
function makeDirectories({ directories }: ConfigurePlan, { layout, say }: ConfigureRun): void {
  const apply = (change: DirectoryChange) => {
    applyDirectoryChange(change, layout);
    say(`${change.kind === 'make' ? 'Created' : 'Made private:'} ${change.path}`);
  };
  const isRoot = ({ path }: DirectoryChange) => path === layout.root;
  directories.filter(isRoot).forEach(apply);
  markDirectory(layout);
  directories.filter((change) => !isRoot(change)).forEach(apply);
}

/** Keys and the user's files. What was written is whole at every moment, so an end in between harms nothing. */
async function userPart(run: ConfigureRun, facts: ConfigureFacts): Promise<ConfigurePlan> {
  const { layout, context, say } = run;
  const { clock, signal } = context;
  const onWaiting = () => context.err(waitingForOther);
  return withOperationLock(layout.startLock, { clock, signal, onWaiting }, async (lost) => {
    const plan = await planAlone(run, facts);
    const { user, service, logs } = plan;
    await dropService(plan.dropped, run);
    const stop = AbortSignal.any([lost, signal]);
    applyJournalled(user, { layout, now: clock.now(), stop, logs });
    user.changes.flatMap(describeChange).forEach(say);
    sayUnchanged(run, user);
    sayByHand(run, user.byHand);
    await keepOutOfBackups(layout, context, say);
    const programs = service.length > 0 ? jobPrograms(plan.config, context.env['PATH']) : undefined;
    await keepPrograms(layout, context, { programs, say });
    const isService = ({ path }: { path: string }) => service.some((file) => file.path === path);
    if (!user.byHand.some(isService) && user.changes.some(({ wanted }) => isService(wanted)))
      sayStart(run);
    return plan;
  });
}

function sayStart({ context, say }: ConfigureRun): void {
  if (hasKeeper(context.env)) say(startsAtLogin);
  else context.err(noKeeper);
}

export const movedLegacy = (folder: string): string => `Moved linuxkit-nix's files to ${folder}`;
export const createdKeys = (folder: string): string => `Created keys in ${folder}`;
export const startsAtLogin = advice`The daemon starts at your next login. To start it now: ${ours('start')}`;
export const noKeeper = advice`Warning: this system does not run systemd, so nothing starts the daemon at your next login. Have your own init system run ${ours('daemon')}, or start it yourself: ${ours('start')}`;

/** Planned again, since what was there may have changed before we were alone; and with the keys, which are made now. */
async function planAlone(run: ConfigureRun, before: ConfigureFacts): Promise<ConfigurePlan> {
  const { layout, context, flags, say } = run;
  // Whoever had the lock may have taken our lines out of ssh's configuration.
  run.asker.forget();
  const facts = { ...before, userSsh: await userSsh(run) };
  const plan = await planOf(run, facts);
  refuseDisk(plan, run);
  if (flags.renewKeys === true) discardIdentity(layout);
  // Also where none is missing: a public half that is not its key's is written anew.
  const { host } = await ensureIdentity(layout, context.signal);
  if (!plan.keys.areMissing) return plan;
  say(createdKeys(layout.keys));
  return planOf(run, facts, { host: host.public, areMissing: false });
}

export function describeChange(change: FileChange): string[] {
  const { path, purpose } = change.wanted;
  const wrote = `Wrote ${path}: ${purpose}`;
  return replacesTheirs(change)
    ? [wrote, `  It replaces your file, which unconfigure restores.`]
    : [wrote];
}
