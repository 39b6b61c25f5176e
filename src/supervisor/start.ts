/**
 * One start: from a config to a booting VM. Everything acquired is registered in Running at the moment it is acquired, so
 * that whoever ends the start ends just what there is.
 */
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Config } from '../config/config.ts';
import type { Layout } from '../config/layout.ts';
import { openConsole, type Console, type ConsoleLine } from '../guest/console.ts';
import { readIdentity } from '../guest/identity.ts';
import { guestNixConf, writeInitrd } from '../guest/seed.ts';
import { launch, type Child, type Ended } from '../system/child.ts';
import type { Clock } from '../system/clock.ts';
import { within } from '../system/deadline.ts';
import { Exit, Failed } from '../system/failure.ts';
import { inSection } from '../system/lock.ts';
import type { Log } from '../system/log.ts';
import { writePid } from '../system/pidfile.ts';
import { findProgram } from '../system/program.ts';
import { chooseAccelerator, type Choice } from '../vm/accelerator.ts';
import { bundleAt, checkBundle, type Bundle } from '../vm/bundle.ts';
import type { Machine, VmDriver } from '../vm/driver.ts';
import { prepareDisk } from './disk.ts';
import { vmExited } from './failure.ts';
import { followOutput, type ChildOutput } from './child-output.ts';
import { endLeftover } from './leftovers.ts';

/** What a start has acquired so far. */
export interface Running {
  vm?: Child;
  /** Follows what the VM program says into our log. */
  output?: ChildOutput;
  console?: Console;
  machine?: Machine;
}

export interface StartContext {
  readonly config: Config;
  readonly layout: Layout;
  readonly driver: VmDriver;
  readonly clock: Clock;
  readonly log: Log;
  readonly onLine: (line: ConsoleLine) => void;
  /** A step of ours is done: for the timeline. */
  readonly onStep: (name: string) => void;
  readonly onAccelerator: (choice: Choice) => void;
  readonly onVmEnded: (ended: Ended) => void;
}

/** Prefix of the image that `image build` makes, unless the config names another bundle. */
export const bundlePrefix = (config: Config, layout: Layout): string =>
  config.bundle ?? join(layout.images, 'builder');

/** Launches network and VM and connects to the VM's control channel. Rejects with Failed, or when signal aborts. */
export async function start(
  context: StartContext,
  running: Running,
  signal: AbortSignal,
): Promise<void> {
  const { layout, clock, log } = context;
  const onWaiting = () => log('info', 'waiting-for-section', { path: layout.startLock });
  await inSection(layout.startLock, { clock, signal, onWaiting }, async (lost) => {
    await launchVm(context, running, AbortSignal.any([signal, lost]));
  });
  const { vm } = running;
  if (vm === undefined) throw new Error('no VM after its launch');
  running.machine = await attach(context, running, vm, signal);
  context.onStep('vm-answers');
}

async function launchVm(
  context: StartContext,
  running: Running,
  signal: AbortSignal,
): Promise<void> {
  const { config, layout, driver, clock } = context;
  const program = findProgram(driver.program(config));
  const bundle = bundleAt(bundlePrefix(config, layout));
  checkBundle(bundle, { full: false });
  await endLeftover(vmLeftover(context, program), clock, signal, context.log);
  const disk = prepareDisk(layout.disk, config.diskGiB);
  context.log('debug', 'disk-prepared', { path: layout.disk, was: disk });
  writeSeed(context, bundle);
  context.onStep('prepared');
  const choice = await chooseAccelerator({ config, layout, program, bundle }, clock, signal);
  context.onAccelerator(choice);
  const cmdline = readFileSync(bundle.cmdline, 'utf8').trim();
  const plan = driver.plan({
    config,
    layout,
    bundle,
    cmdline,
    program,
    accelerator: choice.accelerator,
  });
  signal.throwIfAborted();
  running.console = openConsole({
    path: layout.consoleRing,
    logPath: layout.consoleLog,
    kind: 'append',
    clock,
    onLine: context.onLine,
  });
  running.output = followOutput(layout.vmOutput, 'vm', clock, context.log);
  const vm = await launch(plan, { output: layout.vmOutput, lock: layout.vmLock }, clock);
  if ('kind' in vm) throw new Failed(vmExited(basename(program), vm, undefined, []));
  running.vm = vm;
  void vm.ended.then(context.onVmEnded);
  writePid(pidFiles(layout, driver.name), vm.pid, basename(program));
  context.onStep('vm-started');
}

export const pidFiles = (layout: Layout, name: string) => ({
  plain: layout.pid(name),
  record: layout.pidRecord(name),
});

/** The VM process that an earlier daemon may have left behind. */
export function vmLeftover(
  { layout, driver, clock }: Pick<StartContext, 'layout' | 'driver' | 'clock'>,
  program: string,
) {
  return {
    what: 'vm' as const,
    lock: layout.vmLock,
    pid: pidFiles(layout, driver.name),
    program: basename(program),
    // Not the console: what an earlier guest wrote last goes to the log when it is opened.
    stale: [layout.qmp, layout.agent],
    askToEnd: (signal: AbortSignal) =>
      within(
        async (inTime) => {
          const machine = await driver.attach({ layout, clock, signal: inTime });
          await machine.powerOff().finally(() => machine.close());
        },
        { clock, timeoutMs: 3_000, signal, late: () => leftoverSilent },
      ),
  };
}

const leftoverSilent = {
  kind: 'leftover-silent',
  message: 'A VM process that was left behind does not answer.',
  hint: 'It is ended without being asked.',
  exit: Exit.temporary,
} as const;

/** The per-start settings behind the image's initrd: the image itself never changes with a setting. */
function writeSeed({ config, layout, driver, clock }: StartContext, bundle: Bundle): void {
  const keys = readIdentity(layout);
  const { address, gateway, nameservers, mac } = driver.network;
  writeInitrd({
    base: bundle.initrd,
    target: layout.initrd,
    seed: {
      hostName: 'linuxkit-builder',
      timeS: Math.floor(clock.now() / 1000),
      ...{ address, gateway, nameservers, mac },
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
  { driver, layout, clock }: StartContext,
  running: Running,
  vm: Child,
  signal: AbortSignal,
): Promise<Machine> {
  const gone = new AbortController();
  void vm.ended.then((ended) =>
    gone.abort(new Failed(vmExited(driver.name, ended, undefined, running.output?.last() ?? []))),
  );
  return driver.attach({ layout, clock, signal: AbortSignal.any([signal, gone.signal]) });
}
