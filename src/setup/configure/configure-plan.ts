/** All that a run of configure would do, as one value: it is shown by a dry run, and carried out by any other. Nothing is changed yet. */
import type { Config } from '../../config/config.ts';
import { presentKeys } from '../../guest/identity/identity.ts';
import { finalTarget } from '../../system/files/final-target.ts';
import { ownerHere } from '../../host/installed.ts';
import { readReceipts, type Receipt } from '../../host/receipts.ts';
import { machinesKeeper } from '../../nix/variant.ts';
import { wantedJob } from '../../service/wanted-job.ts';
import { Failed } from '../../system/failure.ts';
import { findProgram } from '../../system/process/find-program.ts';
import { cannotWrite } from '../../system/files/cannot-write.ts';
import { writeError } from '../../system/files/barrier.ts';
import { jobPlan, type JobPlan } from '../boot-job.ts';
import { rootRequest, userNeeds, type Builder } from '../builder-files.ts';
import { directoryChanges, type DirectoryChange } from '../directories.ts';
import { rootNeeds, type RootNeeds } from '../root/root-files.ts';
import type { Survey } from '../survey.ts';
import { check } from './check-request.ts';
import type { ConfigureFacts, ConfigureRun } from './configure-facts.ts';
import { droppedBy } from './login-job.ts';

interface Keys {
  /** The guest's public key; undefined until it is made. */
  readonly host: string | undefined;
  /** Some have to be made. */
  readonly areMissing: boolean;
}

export interface ConfigurePlan {
  readonly config: Config;
  readonly directories: readonly DirectoryChange[];
  readonly keys: Keys;
  /** The user's files, as they shall be and as they are. */
  readonly user: Survey;
  /** Those of them by which the daemon is started at login. */
  readonly service: Builder['service'];
  /** What the login job will write by itself. */
  readonly logs: readonly string[];
  /** What an earlier configure told the keeper of the daemon, and is not wanted any more. */
  readonly dropped: readonly Receipt[];
  readonly root: RootNeeds;
  /** The job by which the system starts the daemon at boot. */
  readonly job: JobPlan;
}

/** Fails, before anything is changed, where something of it can be seen not to succeed. `keys`: as they are, or have just been made. */
export async function planOf(
  run: ConfigureRun,
  facts: ConfigureFacts,
  keys: Keys = keysNow(run),
): Promise<ConfigurePlan> {
  const { layout, context } = run;
  const { config, text } = check(run.flags, facts.guest);
  const { files: service, logs, system } = wantedJob(layout, config, context);
  const settled = { config, service, keys };
  const builder = await builderOf(run, facts, { ...settled, settingsText: text });
  const wanted = [...service.map(({ path }) => path), ...logs];
  const plan = {
    ...settled,
    logs,
    directories: directoryChanges(layout),
    user: userNeeds(builder),
    dropped: droppedBy(wanted, readReceipts(layout.receipts), context),
    root: rootNeeds({ ...rootRequest(builder), ...facts.rootSsh.known }),
    job: jobPlan(system, { ...run, owner: builder.owner }),
  };
  refuseUndoable(plan, run);
  return plan;
}

/** What both the user's files and root's part are made from. */
async function builderOf(
  { layout, systemPaths, flags }: ConfigureRun,
  { nix, userSsh, proxy }: ConfigureFacts,
  {
    keys,
    ...settled
  }: Pick<Builder, 'config' | 'settingsText' | 'service'> & {
    readonly keys: Keys;
  },
): Promise<Builder> {
  return {
    ...settled,
    layout,
    systemPaths,
    owner: ownerHere(flags.root),
    hostPublicKey: keys.host ?? unknownKey,
    keeper: machinesKeeper(nix),
    proxy: await proxy(settled.config),
    ...userSsh.known,
  };
}

/** Stands for the guest's key until there is one. */
const unknownKey = 'ssh-ed25519 (made-by-configure)';

function keysNow({ flags, layout }: ConfigureRun): Keys {
  if (flags.renewKeys === true) return { host: undefined, areMissing: true };
  const keys = presentKeys(layout);
  return { host: keys.host?.public, areMissing: Object.values(keys).includes(undefined) };
}

/** What can be seen not to succeed, before the first of it is done. */
function refuseUndoable(
  { user, root, keys }: Pick<ConfigurePlan, 'user' | 'root' | 'keys'>,
  { layout, flags }: ConfigureRun,
): void {
  const isRoots = process.geteuid?.() === 0 && !flags.skipRoot;
  const changes = [...user.changes, ...(isRoots ? root.changes : [])];
  if (keys.areMissing) findProgram('ssh-keygen');
  const paths = [
    ...(keys.areMissing ? [layout.clientKey] : []),
    // A file is written where its links lead; what is above it has to be there.
    ...changes.flatMap(({ wanted: { path } }) => [path, finalTarget(path)]),
  ];
  for (const path of paths) {
    const error = writeError(path);
    if (error !== undefined) throw new Failed(cannotWrite(path, error), { cause: error });
  }
}
