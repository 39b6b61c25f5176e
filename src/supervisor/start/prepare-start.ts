/** All that is decided of a start before anything runs, with the files and the disk in their places. */
import { describeProblem, type Problem } from '../../domain/problem.ts';
import type { Accelerator } from '../../domain/vm-programs.ts';
import { chooseNetwork, type Chosen } from '../../net/networks.ts';
import { Exit, Failed, type Failure } from '../../system/failure.ts';
import { nameServersHere } from '../../system/host/resolvers.ts';
import { findProgram } from '../../system/process/find-program.ts';
import { bundleAt } from '../../vm/boot-image.ts';
import { prepareDisk } from '../disk/disk.ts';
import { recordBlank } from '../disk/disk-record.ts';
import { GuestNames } from '../health/guest-names.ts';
import { chooseGuest, takeGuest, type PlannedGuest } from '../idle/comeback.ts';
import { identityOf } from '../suspend/guest-identity.ts';
import type { Taken, Unresumed } from '../idle/saved-guest.ts';
import { trialBasis } from '../suspend/suspend-trial.ts';
import type { Scope } from '../scope.ts';
import { bootFiles, type BootContext } from './boot-files.ts';
import { wayToRun } from './chosen-vm.ts';
import { networkOf, planOf, type LaunchPlan } from './launch-plan.ts';
import type { StagedImage } from './staging.ts';
import { advice, ours } from '../../system/advice.ts';

export interface StartContext extends BootContext {
  /** Whatever was saved, the guest boots. */
  readonly afresh: boolean;
  /** As {@link takeGuest} has it. */
  readonly unresumed?: Unresumed | undefined;
  readonly closeDirectories?: () => Promise<void>;
}

/** What will run. */
interface Programs {
  /** Absolute path of the VM program. */
  readonly program: string;
  readonly network: Chosen;
}

/** How both children are launched. */
interface ChildrenPlan {
  readonly accelerator: Accelerator;
  readonly plan: LaunchPlan;
}

export interface Prepared extends Programs, ChildrenPlan {
  readonly planned: PlannedGuest;
}

/** Chooses the programs, puts the files and the disk in their places, and plans both children and the guest. */
export async function prepareStart(context: StartContext, scope: Scope): Promise<Prepared> {
  await context.closeDirectories?.();
  const programs = choosePrograms(context, scope);
  const staged = await bootFiles(context, scope, programs);
  const taken = takeGuest(context.layout, context);
  if (taken !== undefined) {
    if ('unfit' in taken) scope.running.unresumed = taken;
    else scope.running.saved = taken;
  }
  stageDisk(context, scope);
  scope.facts.see('prepared');
  const children = await planChildren(context, scope, { ...programs, staged });
  // A start that is over tells nobody that its guest is not resumed: the next one does.
  scope.signal.throwIfAborted();
  const planned = planGuest(context, scope, { ...programs, ...children, staged, taken });
  return { ...programs, ...children, planned };
}

function choosePrograms({ layout, verdicts }: StartContext, { config, running }: Scope): Programs {
  const { driver } = running.tried;
  const program = findProgram(driver.program(config));
  const known = verdicts.all();
  const nameServers = nameServersHere();
  const vm = { row: driver.row, vmProgram: program };
  const network = chooseNetwork({ config, layout, known, nameServers, ...vm });
  return { program, network };
}

/** Makes or grows the disk; that nobody has had a blank one is put down before anybody can have it. */
function stageDisk({ layout, log }: StartContext, { config }: Scope): void {
  const was = prepareDisk(layout.disk, config.diskGiB);
  if (was === 'blank') recordBlank(layout);
  log('debug', 'disk-prepared', { path: layout.disk, was });
}

/** How the program runs this guest, and both command lines. Rejects with Failed where the program would not take its own. */
async function planChildren(
  context: StartContext,
  scope: Scope,
  { program, network, staged }: Programs & { readonly staged: StagedImage },
): Promise<ChildrenPlan> {
  const { layout } = context;
  const { config, running } = scope;
  const { driver } = running.tried;
  const { bundle, parts, cmdline } = staged;
  // Our copy of the kernel is another file at each start.
  const named = bundleAt(staged.image.prefix);
  const way = await wayToRun(context, scope, { program, bundle: named });
  const plan = planOf({ config, layout, driver, program, network, bundle, parts, cmdline, ...way });
  if (plan.problems.length > 0) throw new Failed(vmWouldRefuse(driver.name, plan.problems));
  return { accelerator: way.accelerator, plan };
}

/** What a guest is of the same making by. */
interface Known extends Programs, ChildrenPlan {
  readonly staged: StagedImage;
  /** The guest that was away as a file, if any was. */
  readonly taken: Taken;
}

/** The guest of this start: the one that was away as a file, if that is of the same making; else it boots. */
function planGuest(
  { layout, log, clock }: StartContext,
  { facts, config }: Scope,
  { program, network, staged, taken, accelerator, plan }: Known,
): PlannedGuest {
  const identity = identityOf({ program, launch: plan.vm, accelerator, madeFrom: staged.madeFrom });
  const saved = chooseGuest(taken, identity, { layout, log, facts, config });
  return {
    keeping: {
      identity,
      basis: trialBasis(program, accelerator, network?.driver.name),
      bootedAt: saved?.bootedAt ?? new Date(clock.now()).toISOString(),
      resumes: saved === undefined ? 0 : saved.resumes + 1,
      keys: staged.keys,
    },
    resumed: saved,
    names: new GuestNames({ network: networkOf(network, { layout }), log }),
    keys: saved === undefined ? staged.keys : undefined,
    wasReady: false,
  };
}

/** Found before a launch, by what the program's own parser would not take. */
export const vmWouldRefuse = (name: string, problems: readonly Problem[]): Failure => ({
  kind: 'vm-would-refuse',
  vmFault: 'lasts',
  message: `${name} would reject this command line.`,
  hint: advice`Change the settings that are named. To see the whole command line: ${ours('daemon', '--dry-run')}`,
  exit: Exit.config,
  recovery: 'give-up',
  lines: problems.map(describeProblem),
});
