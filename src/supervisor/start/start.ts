/**
 * One start: from a config to a booting VM. Everything acquired is registered in Running at the moment it is acquired, so
 * that whoever ends the start ends just what there is.
 */
import { describeProblem, type Problem } from '../../domain/problem.ts';
import type { Accelerator } from '../../domain/vm-programs.ts';
import { chooseNetwork, type Chosen } from '../../net/networks.ts';
import { Exit, Failed, type Failure } from '../../system/failure.ts';
import { nameServersHere } from '../../system/host/resolvers.ts';
import { findProgram } from '../../system/process/find-program.ts';
import { bundleAt } from '../../vm/boot-image.ts';
import { attach, type AttachedVm } from './attach.ts';
import { bootFiles, type BootContext } from './boot-files.ts';
import { launchNetwork, launchVm } from './children.ts';
import { hasChoice, wayToRun } from './chosen-vm.ts';
import { networkOf, planOf, type LaunchPlan } from './launch-plan.ts';
import type { StagedImage } from './staging.ts';
import { prepareDisk } from '../disk/disk.ts';
import { untilDiskIsFree } from '../disk/disk-free.ts';
import { recordBlank } from '../disk/disk-record.ts';
import { GuestNames } from '../health/guest-names.ts';
import { chooseGuest, takeGuest, type PlannedGuest } from '../idle/comeback.ts';
import { identityOf } from '../idle/guest-identity.ts';
import type { Taken } from '../idle/saved-guest.ts';
import { trialBasis } from '../idle/suspend-trial.ts';
import type { Scope } from '../scope.ts';

interface StartContext extends BootContext {
  /** Whatever was saved, the guest boots. */
  readonly afresh: boolean;
}

/** Launches network and VM and connects to the VM's control channel. Rejects with Failed, or when the scope ends. */
export async function start(context: StartContext, scope: Scope): Promise<AttachedVm> {
  const made = await prepare(context, scope);
  const planned = planGuest(context, scope, made);
  const { tried } = scope.running;
  const { program, accelerator } = made;
  scope.running.guest = planned;
  if (planned.resumed !== undefined) {
    scope.guest.vmPause.expect(true);
    scope.tell({ type: 'resumes' });
  } else if (hasChoice(tried.driver.row)) tried.used = { accelerator, program };
  scope.signal.throwIfAborted();
  return launchBoth(context, scope, { ...made, planned });
}

/** What will run. */
interface Programs {
  /** Absolute path of the VM program. */
  readonly program: string;
  readonly network: Chosen;
}

/** All that is decided before anything runs. */
interface Prepared extends Programs {
  readonly laid: StagedImage;
  /** The guest that was away as a file, if any was. */
  readonly taken: Taken;
  readonly accelerator: Accelerator;
  readonly plan: LaunchPlan;
}

/** Chooses the programs, puts the files and the disk in their places, and plans both children. */
async function prepare(context: StartContext, scope: Scope): Promise<Prepared> {
  const programs = choosePrograms(context, scope);
  const laid = await bootFiles(context, scope, programs);
  const taken = takeGuest(context.layout, context);
  stageDisk(context, scope);
  scope.facts.see('prepared');
  const { accelerator, plan } = await planChildren(context, scope, { ...programs, laid });
  return { ...programs, laid, taken, accelerator, plan };
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
  { program, network, laid }: Pick<Prepared, 'program' | 'network' | 'laid'>,
): Promise<Pick<Prepared, 'accelerator' | 'plan'>> {
  const { layout } = context;
  const { config, running } = scope;
  const { driver } = running.tried;
  const { bundle, cmdline } = laid;
  // Our copy of the kernel is another file at each start.
  const named = bundleAt(laid.image.prefix);
  const way = await wayToRun(context, scope, { program, bundle: named });
  const plan = planOf({ config, layout, driver, program, network, bundle, cmdline, ...way });
  if (plan.problems.length > 0) throw new Failed(vmWouldRefuse(driver.name, plan.problems));
  return { accelerator: way.accelerator, plan };
}

/** The guest of this start: the one that was away as a file, if that is of the same making; else it boots. */
function planGuest(
  { layout, log, clock }: StartContext,
  { facts }: Scope,
  { program, network, laid, taken, accelerator, plan }: Prepared,
): PlannedGuest {
  const identity = identityOf({ program, launch: plan.vm, accelerator, madeFrom: laid.madeFrom });
  const saved = chooseGuest(taken, identity, { layout, log, facts });
  return {
    keeping: {
      identity,
      basis: trialBasis(program, accelerator, network?.driver.name),
      bootedAt: saved?.bootedAt ?? new Date(clock.now()).toISOString(),
      resumes: saved === undefined ? 0 : saved.resumes + 1,
      keys: laid.keys,
    },
    resumed: saved,
    names: new GuestNames({ network: networkOf(network, { layout }), log }),
    keys: saved === undefined ? laid.keys : undefined,
    wasReady: false,
  };
}

/** The network, then the VM, then what the VM is told over its control channel. */
async function launchBoth(
  context: StartContext,
  scope: Scope,
  { program, network, accelerator, plan, planned }: Prepared & { readonly planned: PlannedGuest },
): Promise<AttachedVm> {
  const { layout, log, clock } = context;
  const { facts, guest, signal } = scope;
  const { tried } = scope.running;
  const saved = planned.resumed;
  if (network !== undefined && plan.network !== undefined) {
    await launchNetwork(context, scope, network, plan.network);
    facts.see('network-serves');
  }
  signal.throwIfAborted();
  await untilDiskIsFree(layout.disk, { clock, signal, log });
  const waits = saved === undefined ? [] : (tried.driver.awaitsGuest ?? []);
  const launch = { ...plan.vm, argv: [...plan.vm.argv, ...waits] };
  guest.openConsole();
  const vm = await launchVm(context, scope, launch);
  facts.see('vm-started');
  const machine = await attach(context, scope, {
    vm,
    network: networkOf(network, { layout }),
    saved,
  });
  if (saved !== undefined) {
    tried.used = { accelerator, program };
    facts.see('memory-loaded');
  }
  return { child: vm.child, machine, planned };
}

/** Found before a launch, by what the program's own parser would not take. */
export const vmWouldRefuse = (name: string, problems: readonly Problem[]): Failure => ({
  kind: 'vm-would-refuse',
  vmFault: 'lasts',
  message: `${name} would reject this command line.`,
  hint: 'Change the settings that are named. To see the whole command line: linuxkit-builder daemon --dry-run',
  exit: Exit.config,
  recovery: 'give-up',
  lines: problems.map(describeProblem),
});
