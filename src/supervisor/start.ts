/**
 * One start: from a config to a booting VM. Everything acquired is registered in Running at the moment it is acquired, so
 * that whoever ends the start ends just what there is.
 */
import type { Config } from '../config/config.ts';
import { describeProblem, type Problem } from '../config/problem.ts';
import type { VmProgram } from '../config/vm-programs.ts';
import { chooseNetwork, type Chosen } from '../net/networks.ts';
import type { Child, Ended } from '../system/child.ts';
import { Exit, Failed, type Failure } from '../system/failure.ts';
import { inSection } from '../system/lock.ts';
import { findProgram } from '../system/program.ts';
import { tryAgain, type Verdicts } from '../system/verdicts.ts';
import { chooseAccelerator, type Choice } from '../vm/accelerator.ts';
import { bundleAt, checkBundle, type Bundle } from '../vm/bundle.ts';
import { chooseVm, type VmChoice } from '../vm/choose-vm.ts';
import type { VmDriver } from '../vm/driver.ts';
import type { BootFiles, Laid } from './boot-files.ts';
import { launchNetwork, launchVm, vmFailure, type ChildContext, type Running } from './children.ts';
import { chooseGuest, loadGuest, takeGuest } from './comeback.ts';
import { prepareDisk } from './disk.ts';
import { untilDiskIsFree } from './disk-free.ts';
import { recordBlank } from './disk-record.ts';
import { lackOf, room, roomAt, startInodes, type Room } from './disk-room.ts';
import { GuestNames } from './guest-names.ts';
import { chooseImage, type ChosenImage } from './images.ts';
import { dropOld, refuseOld } from './image-floor.ts';
import { endLeftovers } from './left-behind.ts';
import { orItsEnd } from './or-its-end.ts';
import { networkOf, planOf } from './plan.ts';
import { identityOf } from './saved-guest.ts';
import type { PauseReason } from './state.ts';
import { trialBasis } from './suspend-trial.ts';

export interface StartContext extends ChildContext {
  /** The children before these were seen to end: there is nothing left of them to look for. */
  readonly isClear: boolean;
  /** The start before this one did not get ready: what it booted may be another than it looks, so its hashes are compared. */
  readonly isDoubtful: boolean;
  /** Whatever was saved, the guest boots. */
  readonly afresh: boolean;
  /** It goes on from its file. */
  readonly onResumes: () => void;
  /** It was to go on, and boots. */
  readonly onUnfit: (why: string) => void;
  /** What the start before this one booted. */
  readonly bootFiles: BootFiles;
  /** What is held against what. */
  readonly verdicts: Verdicts;
  /** A step of ours is done: for the timeline. */
  readonly onStep: (name: string) => void;
  readonly onImage: (image: ChosenImage) => void;
  readonly onAccelerator: (choice: Choice) => void;
  readonly onChosen: (choice: VmChoice) => void;
  readonly onPaused: (why: PauseReason) => void;
  readonly onResumed: () => void;
  /** Waits until the host's disk has that much room, and tells of it. */
  readonly awaitRoom: (wanted: Room) => Promise<void>;
}

/** Launches network and VM and connects to the VM's control channel. Rejects with Failed, or when signal aborts. */
export async function start(
  context: StartContext,
  running: Running,
  signal: AbortSignal,
): Promise<void> {
  const { config, layout, driver, log } = context;
  const program = findProgram(driver.program(config));
  const known = context.verdicts.all();
  const network = chooseNetwork({ config, row: driver.row, layout, known, vmProgram: program });
  const laid = await bootFiles(context, running, { program, network }, signal);
  const taken = takeGuest(layout, context);
  const disk = prepareDisk(layout.disk, config.diskGiB);
  if (disk === 'blank') recordBlank(layout);
  log('debug', 'disk-prepared', { path: layout.disk, was: disk });
  context.onStep('prepared');
  const { bundle, cmdline } = laid;
  // Our copy of the kernel is another file at each start.
  const named = bundleAt(laid.image.prefix);
  const accelerator = await acceleratorFor(context, program, named, signal);
  refuseWorse(context, accelerator);
  const abilities = await driver.abilities?.(program, signal);
  const options = { config, layout, driver, program, network, bundle, cmdline, accelerator };
  const plan = planOf({ ...options, abilities });
  if (plan.problems.length > 0) throw new Failed(vmWouldRefuse(driver.name, plan.problems));
  const identity = identityOf({ program, launch: plan.vm, accelerator, madeFrom: laid.madeFrom });
  const saved = chooseGuest(taken, identity, context);
  running.keeping = {
    ...{ identity, basis: trialBasis(program, accelerator, network?.driver.name) },
    bootedAt: saved?.bootedAt ?? new Date(context.clock.now()).toISOString(),
    resumes: saved === undefined ? 0 : saved.resumes + 1,
    keys: laid.keys,
  };
  if (saved === undefined) {
    // One that goes on has those that it was told of last, and is told anew.
    running.keys = laid.keys;
    if (hasChoice(driver.row)) running.used = { accelerator, program };
  } else {
    running.resumed = saved;
    context.onResumes();
  }
  signal.throwIfAborted();
  running.names = new GuestNames({ network: networkOf(network, context), log });
  if (network !== undefined && plan.network !== undefined) {
    await launchNetwork(context, running, network, plan.network, signal);
    context.onStep('network-serves');
  }
  signal.throwIfAborted();
  await untilDiskIsFree(layout.disk, { clock: context.clock, signal, log });
  const waits = saved === undefined ? [] : (driver.awaitsGuest ?? []);
  const launch = { ...plan.vm, argv: [...plan.vm.argv, ...waits] };
  const vm = await launchVm(context, running, launch);
  context.onStep('vm-started');
  await attach(context, running, { vm, network }, signal);
  if (saved === undefined) return;
  running.used = { accelerator, program };
  context.onStep('memory-loaded');
}

/** Those of the start before where they can be taken again, else new ones, for which nobody may be changing what they are made from. */
async function bootFiles(
  context: StartContext,
  running: Running,
  { program, network }: { readonly program: string; readonly network: Chosen },
  signal: AbortSignal,
): Promise<Laid> {
  const { config, layout, driver, clock, log } = context;
  const { guest } = networkOf(network, context);
  const known = context.verdicts.all();
  const input = { config, layout, vm: driver.name, row: driver.row, guest, known };
  // Its guest is paused before its writes fail, so that room is no condition of a start.
  const wanted = { bytes: driver.row.pausesOnFullDisk ? 0 : room.start, inodes: startInodes };
  const hasEnough = () => lackOf(wanted, roomAt(layout.root)) === undefined;
  const onWaiting = () => log('info', 'waiting-for-section', { path: layout.startLock });
  const take = (image: ChosenImage) => {
    context.onImage((running.image = image));
    refuseOld(image.old, config);
  };
  const lay = () =>
    inSection(layout.startLock, { clock, signal, onWaiting }, async (lost) => {
      const image = chooseImage(config, layout, context.verdicts.all());
      if (image.places !== undefined && dropOld(image.places.good))
        log('info', 'old-image-dropped');
      take(image);
      checkNamed(bundleAt(image.prefix), config, context.isDoubtful);
      const wanted = AbortSignal.any([signal, lost]);
      if (!context.isClear) await endLeftovers({ layout, driver, program, clock, log }, wanted);
      return hasEnough() ? context.bootFiles.lay(image, input) : undefined;
    });
  for (;;) {
    const same = context.isClear && hasEnough() ? context.bootFiles.again(input) : undefined;
    if (same !== undefined) take(same.image);
    const laid = same ?? (await lay());
    if (laid !== undefined) return laid;
    // They would only take some of the room that is waited for.
    context.bootFiles.remove();
    await context.awaitRoom(wanted);
  }
}

/** Which of several ways works is found by trial; where there is one only, there is nothing to try. */
async function acceleratorFor(
  { config, layout, driver, clock, onAccelerator, verdicts }: StartContext,
  program: string,
  bundle: Bundle,
  signal: AbortSignal,
): Promise<Choice['accelerator']> {
  const [only] = driver.row.accelerators;
  if (only !== undefined && !hasChoice(driver.row)) return only;
  const input = { config, layout, program, bundle, verdicts };
  const choice = await chooseAccelerator(input, clock, signal);
  onAccelerator(choice);
  return choice.accelerator;
}

/** Connects to the control channel, and has a saved guest go on; or the reason why that cannot be: a VM that died says more than a socket that did not come. */
async function attach(
  context: StartContext,
  running: Running,
  { vm, network }: { readonly vm: Child; readonly network: Chosen },
  signal: AbortSignal,
): Promise<void> {
  const { driver, layout, clock, onPaused, onResumed } = context;
  const meaning = (ended: Ended) => vmFailure(context, running, ended);
  // It lives on and will not run its guest again: what it said is the reason.
  const onLost = (failure: Failure) => {
    const lines = running.output?.last() ?? [];
    context.onLost({ ...failure, lines });
  };
  const { resumed } = running;
  const connect = async (inLife: AbortSignal) => {
    const machine = await driver.attach({
      ...{ layout, clock, onPaused, onResumed, onLost },
      signal: inLife,
      network: networkOf(network, context),
      signalVm: (name) => vm.signal(name),
    });
    running.machine = machine;
    context.onStep('vm-answers');
    if (resumed !== undefined) await loadGuest(machine, resumed, { layout, clock, signal: inLife });
  };
  await orItsEnd(connect, { ended: vm.ended, meaning, clock, signal });
}

/** Software alone, where another program would run the guest by the processor: that one is taken in its place. What is true by now is said. */
function refuseWorse(
  { config, layout, driver, verdicts, onChosen }: StartContext,
  accelerator: string,
): void {
  if (config.vm !== 'auto' || accelerator !== 'tcg') return;
  const choice = chooseVm({ config, layout, known: verdicts.all() });
  if (choice.driver.name !== driver.name) throw new Failed(insteadOf(driver, choice.driver));
  onChosen(choice);
}

const insteadOf = ({ row }: VmDriver, better: VmDriver): Failure => ({
  kind: 'vm-rejected',
  message: `${row.title} could only translate the guest's code here, so this start goes on with ${better.row.title}.`,
  hint: tryAgain,
  exit: Exit.unavailable,
  recovery: 'other-way',
});

const hasChoice = ({ accelerators }: VmProgram): boolean => accelerators.length > 1;

const vmWouldRefuse = (name: string, problems: readonly Problem[]): Failure => ({
  kind: 'vm-would-refuse',
  message: `${name} would not take what it is to be started with.`,
  hint: 'Change what is named below; linuxkit-builder daemon --dry-run shows the whole command line.',
  exit: Exit.config,
  recovery: 'give-up',
  lines: problems.map(describeProblem),
});

/** The bundle is whole as far as a look can tell, or, in full, by its hashes. One that the config names is not made again by `image build`. */
function checkNamed(bundle: Bundle, { bundle: named, system }: Config, full: boolean): void {
  try {
    checkBundle(bundle, { full, system });
  } catch (error) {
    if (named === undefined || !(error instanceof Failed)) throw error;
    const hint = `config.json names it as the bundle ${named}: mend that, or take the line out and make the image: linuxkit-builder image build.`;
    throw new Failed({ ...error.failure, hint }, { cause: error });
  }
}
