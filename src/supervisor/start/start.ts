/**
 * One start: from a config to a booting VM. Everything acquired is registered in Running at the moment it is acquired, so
 * that whoever ends the start ends just what there is.
 */
import type { Config } from '../../config/config.ts';
import { describeProblem, type Problem } from '../../domain/problem.ts';
import type { VmProgram } from '../../domain/vm-programs.ts';
import { chooseNetwork, type Chosen } from '../../net/networks.ts';
import { Exit, Failed, type Failure } from '../../system/failure.ts';
import { withOperationLock } from '../../system/lock/lock.ts';
import { findProgram } from '../../system/process/find-program.ts';
import { tryAgain, type Verdicts } from '../../domain/verdicts.ts';
import { chooseAccelerator, type Choice } from '../../vm/accelerator.ts';
import { bundleAt, checkBootImage, type BootImage } from '../../vm/boot-image.ts';
import { chooseVm } from '../../vm/choose-vm.ts';
import type { PlanInput, VmDriver } from '../../vm/vm-driver.ts';
import { attach, type AttachedVm } from './attach.ts';
import type { Staging, StagedImage } from './staging.ts';
import { launchNetwork, launchVm, type ChildContext } from './children.ts';
import { chooseGuest, takeGuest } from '../idle/comeback.ts';
import { prepareDisk } from '../disk/disk.ts';
import { untilDiskIsFree } from '../disk/disk-free.ts';
import { recordBlank } from '../disk/disk-record.ts';
import { lackOf, room, roomAt, startInodes } from '../disk/disk-room.ts';
import { GuestNames } from '../health/guest-names.ts';
import { chooseImage, imageFacts, type ChosenImage } from './image-choice.ts';
import { dropOld, refuseOld } from './image-floor.ts';
import { endLeftovers } from '../stop/leftovers.ts';
import { networkOf, planOf } from './launch-plan.ts';
import { identityOf } from '../idle/saved-guest.ts';
import type { Scope } from '../scope.ts';
import { trialBasis } from '../idle/suspend-trial.ts';

interface StartContext extends ChildContext {
  /** The children before these were seen to end: there is nothing left of them to look for. */
  readonly isClear: boolean;
  /** The start before this one did not get ready: what it booted may be another than it looks, so its hashes are compared. */
  readonly isDoubtful: boolean;
  /** Whatever was saved, the guest boots. */
  readonly afresh: boolean;
  /** What the start before this one booted. */
  readonly bootFiles: Staging;
  /** What is held against what. */
  readonly verdicts: Verdicts;
}

/** Launches network and VM and connects to the VM's control channel. Rejects with Failed, or when the scope ends. */
export async function start(context: StartContext, scope: Scope): Promise<AttachedVm> {
  const { layout, log, clock } = context;
  const { config, running, facts, guest, signal } = scope;
  const { tried } = running;
  const { driver } = tried;
  const program = findProgram(driver.program(config));
  const known = context.verdicts.all();
  const network = chooseNetwork({ config, row: driver.row, layout, known, vmProgram: program });
  const laid = await bootFiles(context, scope, { program, network });
  const taken = takeGuest(layout, context);
  const disk = prepareDisk(layout.disk, config.diskGiB);
  if (disk === 'blank') recordBlank(layout);
  log('debug', 'disk-prepared', { path: layout.disk, was: disk });
  facts.see('prepared');
  const { bundle, cmdline } = laid;
  // Our copy of the kernel is another file at each start.
  const named = bundleAt(laid.image.prefix);
  const abilities = await driver.abilities?.(program, signal);
  const accelerator = await acceleratorFor(context, scope, { program, bundle: named, abilities });
  refuseWorse(context, scope, accelerator);
  const options = { config, layout, driver, program, network, bundle, cmdline, accelerator };
  const plan = planOf({ ...options, abilities });
  if (plan.problems.length > 0) throw new Failed(vmWouldRefuse(driver.name, plan.problems));
  const identity = identityOf({ program, launch: plan.vm, accelerator, madeFrom: laid.madeFrom });
  const saved = chooseGuest(taken, identity, { layout, log, facts });
  const wired = networkOf(network, { layout });
  const planned = (running.guest = {
    keeping: {
      ...{ identity, basis: trialBasis(program, accelerator, network?.driver.name) },
      bootedAt: saved?.bootedAt ?? new Date(clock.now()).toISOString(),
      resumes: saved === undefined ? 0 : saved.resumes + 1,
      keys: laid.keys,
    },
    resumed: saved,
    names: new GuestNames({ network: wired, log }),
    keys: saved === undefined ? laid.keys : undefined,
    wasReady: false,
  });
  if (saved === undefined && hasChoice(driver.row)) tried.used = { accelerator, program };
  if (saved !== undefined) {
    guest.vmPause.expect(true);
    scope.tell({ type: 'resumes' });
  }
  signal.throwIfAborted();
  if (network !== undefined && plan.network !== undefined) {
    await launchNetwork(context, scope, network, plan.network);
    facts.see('network-serves');
  }
  signal.throwIfAborted();
  await untilDiskIsFree(layout.disk, { clock, signal, log });
  const waits = saved === undefined ? [] : (driver.awaitsGuest ?? []);
  const launch = { ...plan.vm, argv: [...plan.vm.argv, ...waits] };
  guest.openConsole();
  const vm = await launchVm(context, scope, launch);
  facts.see('vm-started');
  const machine = await attach(context, scope, { vm, network: wired, saved });
  if (saved !== undefined) {
    tried.used = { accelerator, program };
    facts.see('memory-loaded');
  }
  return { child: vm.child, machine, planned };
}

/** Those of the start before where they can be taken again, else new ones, for which nobody may be changing what they are made from. */
async function bootFiles(
  context: StartContext,
  { config, running, facts, signal, guest: { vmPause } }: Scope,
  { program, network }: { readonly program: string; readonly network: Chosen },
): Promise<StagedImage> {
  const { layout, clock, log } = context;
  const { driver } = running.tried;
  const { guest } = networkOf(network, { layout });
  const known = context.verdicts.all();
  const input = { config, layout, vm: driver.name, row: driver.row, guest, known };
  // Its guest is paused before its writes fail, so that room is no condition of a start.
  const wanted = { bytes: driver.row.pausesOnFullDisk ? 0 : room.start, inodes: startInodes };
  const hasEnough = () => lackOf(wanted, roomAt(layout.root)) === undefined;
  const onWaiting = () => log('info', 'waiting-for-section', { path: layout.startLock });
  const take = (image: ChosenImage) => {
    running.tried.image = image;
    const told = imageFacts(image);
    log('info', 'image', told);
    facts.note({ image: told });
    refuseOld(image.old, config);
  };
  const lay = () =>
    withOperationLock(layout.startLock, { clock, signal, onWaiting }, async (lost) => {
      const image = chooseImage(config, layout, context.verdicts.all());
      if (image.places !== undefined && dropOld(image.places.good))
        log('info', 'old-image-dropped');
      take(image);
      checkNamed(bundleAt(image.prefix), config, context.isDoubtful);
      const wanted = AbortSignal.any([signal, lost]);
      if (!context.isClear) await endLeftovers({ layout, driver, program, clock, log }, wanted);
      return hasEnough() ? context.bootFiles.stage(image, input) : undefined;
    });
  for (;;) {
    const same = context.isClear && hasEnough() ? context.bootFiles.reuse(input) : undefined;
    if (same !== undefined) take(same.image);
    const laid = same ?? (await lay());
    if (laid !== undefined) return laid;
    // They would only take some of the room that is waited for.
    context.bootFiles.remove();
    await vmPause.awaitRoom(wanted);
  }
}

/** Which of several ways works is found by trial; where there is one only, there is nothing to try. */
async function acceleratorFor(
  { layout, clock, log, verdicts }: StartContext,
  { config, running, facts, signal }: Scope,
  what: Pick<PlanInput, 'program' | 'bundle' | 'abilities'>,
): Promise<Choice['accelerator']> {
  const { row } = running.tried.driver;
  const [only] = row.accelerators;
  if (only !== undefined && !hasChoice(row)) return only;
  const input = { config, layout, verdicts, ...what };
  const choice = await chooseAccelerator(input, clock, signal);
  const { accelerator, rejected, tried } = choice;
  log(rejected.length > 0 ? 'warn' : 'info', 'accelerator', { ...choice });
  if (tried) facts.see('accelerator-tried');
  facts.note({ accelerator });
  facts.reject(rejected);
  return accelerator;
}

/** Software alone, where another program would run the guest by the processor: that one is taken in its place. What is true by now is said. */
function refuseWorse(
  { layout, verdicts }: StartContext,
  { config, running, facts }: Scope,
  accelerator: string,
): void {
  if (config.vm !== 'auto' || accelerator !== 'tcg') return;
  const { driver } = running.tried;
  const choice = chooseVm({ config, layout, known: verdicts.all() });
  if (choice.driver.name !== driver.name) throw new Failed(insteadOf(driver, choice.driver));
  facts.noteChoice(choice);
}

export const insteadOf = ({ row }: VmDriver, better: VmDriver): Failure => ({
  kind: 'vm-rejected',
  message: `${row.title} could only emulate the guest here, so this start continues with ${better.row.title}.`,
  hint: tryAgain,
  exit: Exit.unavailable,
  recovery: 'other-way',
});

const hasChoice = ({ accelerators }: VmProgram): boolean => accelerators.length > 1;

export const vmWouldRefuse = (name: string, problems: readonly Problem[]): Failure => ({
  kind: 'vm-would-refuse',
  message: `${name} would reject this command line.`,
  hint: 'Change the settings that are named. To see the whole command line: linuxkit-builder daemon --dry-run',
  exit: Exit.config,
  recovery: 'give-up',
  lines: problems.map(describeProblem),
});

/** The bundle is whole as far as a look can tell, or, in full, by its hashes. One that the config names is not made again by `image build`. */
function checkNamed(bundle: BootImage, { bundle: named, system }: Config, full: boolean): void {
  try {
    checkBootImage(bundle, { full, system });
  } catch (error) {
    if (named === undefined || !(error instanceof Failed)) throw error;
    throw new Failed({ ...error.failure, hint: namedHint(named) }, { cause: error });
  }
}

export const namedHint = (prefix: string): string =>
  `config.json names it as the bundle ${prefix}. Correct that, or remove the line and make an image: linuxkit-builder image build`;
