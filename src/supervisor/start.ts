/**
 * One start: from a config to a booting VM. Everything acquired is registered in Running at the moment it is acquired, so
 * that whoever ends the start ends just what there is.
 */
import { readFileSync } from 'node:fs';
import type { Config } from '../config/config.ts';
import type { GuestNetwork } from '../config/guest-network.ts';
import { describeProblem, type Problem } from '../config/problem.ts';
import { readIdentity } from '../guest/identity.ts';
import { guestNixConf, writeInitrd } from '../guest/seed.ts';
import { chooseNetwork, type Chosen } from '../net/networks.ts';
import type { Child, Ended } from '../system/child.ts';
import { Exit, Failed, type Failure } from '../system/failure.ts';
import { inSection } from '../system/lock.ts';
import { findProgram } from '../system/program.ts';
import { chooseAccelerator, type Choice } from '../vm/accelerator.ts';
import { bundleAt, checkBundle, type Bundle } from '../vm/bundle.ts';
import type { Machine } from '../vm/driver.ts';
import { launchNetwork, launchVm, vmFailure, type ChildContext, type Running } from './children.ts';
import { prepareDisk } from './disk.ts';
import { hasRoom, room } from './disk-room.ts';
import { chooseImage, type ChosenImage } from './images.ts';
import { endLeftovers } from './left-behind.ts';
import { orItsEnd } from './or-its-end.ts';
import { networkOf, planOf } from './plan.ts';
import type { PauseReason } from './state.ts';

export interface StartContext extends ChildContext {
  /** The children before these were seen to end: there is nothing left of them to look for. */
  readonly isClear: boolean;
  /** The start before this one did not get ready: what it booted may be another than it looks, so its hashes are compared. */
  readonly isDoubtful: boolean;
  /** A step of ours is done: for the timeline. */
  readonly onStep: (name: string) => void;
  readonly onImage: (image: ChosenImage) => void;
  readonly onAccelerator: (choice: Choice) => void;
  readonly onPaused: (why: PauseReason) => void;
  readonly onResumed: () => void;
  /** Waits until the host's disk has room for a guest that could not be paused, and tells of it. */
  readonly awaitRoom: () => Promise<void>;
}

/** Launches network and VM and connects to the VM's control channel. Rejects with Failed, or when signal aborts. */
export async function start(
  context: StartContext,
  running: Running,
  signal: AbortSignal,
): Promise<void> {
  const { config, layout, clock, log } = context;
  const onWaiting = () => log('info', 'waiting-for-section', { path: layout.startLock });
  const once = () =>
    inSection(layout.startLock, { clock, signal, onWaiting }, async (lost) => {
      const wanted = AbortSignal.any([signal, lost]);
      const network = chooseNetwork({ config, layout });
      const vm = await launchBoth(context, running, network, wanted);
      if (vm === 'no-room') return vm;
      // Until it answers, which it does when it has read its kernel: in the section nobody puts another one there.
      running.machine = await attach(context, running, { vm, network }, wanted);
      return 'answers';
    });
  while ((await once()) === 'no-room') await context.awaitRoom();
  context.onStep('vm-answers');
}

async function launchBoth(
  context: StartContext,
  running: Running,
  network: Chosen,
  signal: AbortSignal,
): Promise<Child | 'no-room'> {
  const { config, layout, driver, clock, log } = context;
  const program = findProgram(driver.program(config));
  const image = (running.image = chooseImage(config, layout));
  context.onImage(image);
  const bundle = bundleAt(image.prefix);
  checkNamed(bundle, config, context.isDoubtful);
  if (!context.isClear) await endLeftovers({ layout, driver, program, clock, log }, signal);
  if (!driver.pausesOnFullDisk && !hasRoom(layout.root, room.start)) return 'no-room';
  const disk = prepareDisk(layout.disk, config.diskGiB);
  log('debug', 'disk-prepared', { path: layout.disk, was: disk });
  writeSeed(context, bundle, networkOf(network, context).guest);
  context.onStep('prepared');
  const accelerator = await acceleratorFor(context, program, bundle, signal);
  const cmdline = readFileSync(bundle.cmdline, 'utf8').trim();
  const options = { config, layout, driver, program, network, bundle, cmdline, accelerator };
  const plan = planOf(options);
  if (plan.problems.length > 0) throw new Failed(vmWouldRefuse(driver.name, plan.problems));
  signal.throwIfAborted();
  if (network !== undefined && plan.network !== undefined) {
    await launchNetwork(context, running, network, plan.network, signal);
    context.onStep('network-serves');
  }
  signal.throwIfAborted();
  const vm = await launchVm(context, running, plan.vm);
  context.onStep('vm-started');
  return vm;
}

/** HyperKit has one way to run code, and needs no trial. */
async function acceleratorFor(
  { config, layout, driver, clock, onAccelerator }: StartContext,
  program: string,
  bundle: Bundle,
  signal: AbortSignal,
): Promise<Choice['accelerator']> {
  if (!driver.hasAccelerators) return 'hvf';
  const choice = await chooseAccelerator({ config, layout, program, bundle }, clock, signal);
  onAccelerator(choice);
  return choice.accelerator;
}

/** The per-start settings behind the image's initrd: the image itself never changes with a setting. */
function writeSeed(
  { config, layout, driver, clock }: StartContext,
  bundle: Bundle,
  { address, gateway, nameservers, mac }: GuestNetwork,
): void {
  const keys = readIdentity(layout);
  writeInitrd({
    base: bundle.initrd,
    target: layout.initrd,
    seed: {
      hostName: 'linuxkit-builder',
      timeS: Math.floor(clock.now() / 1000),
      ...{ address, gateway, nameservers },
      ...(mac === undefined ? {} : { mac }),
      vm: driver.name,
      builderKeys: [keys.client.public],
      rootKeys: [keys.root.public],
      hostKey: keys.host,
      nixConf: guestNixConf(config),
    },
  });
}

/** The control channel, or the reason why there is none: a VM that died says more than a socket that did not come. */
async function attach(
  context: StartContext,
  running: Running,
  { vm, network }: { readonly vm: Child; readonly network: Chosen },
  signal: AbortSignal,
): Promise<Machine> {
  const { driver, layout, clock, onPaused, onResumed } = context;
  const meaning = (ended: Ended) => vmFailure(driver, running, ended);
  return orItsEnd(
    (inLife) =>
      driver.attach({
        ...{ layout, clock, onPaused, onResumed },
        signal: inLife,
        network: networkOf(network, context),
        signalVm: (name) => vm.signal(name),
      }),
    { ended: vm.ended, meaning, clock, signal },
  );
}

const vmWouldRefuse = (name: string, problems: readonly Problem[]): Failure => ({
  kind: 'vm-would-refuse',
  message: `${name} would not take what it is to be started with.`,
  hint: 'Change what is named below; linuxkit-builder daemon --dry-run shows the whole command line.',
  exit: Exit.config,
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
