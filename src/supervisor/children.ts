/** The two children of a start: launched, registered the moment they live, and their ends read for what they mean. */
import { basename } from 'node:path';
import type { Config } from '../config/config.ts';
import type { Layout } from '../config/layout.ts';
import { openConsole, type Console, type ConsoleLine } from '../guest/console.ts';
import type { Chosen, Unfit } from '../net/networks.ts';
import { cardUuid } from '../net/vpnkit.ts';
import { launch, lockRefused, type Child, type Ended, type Launch } from '../system/child.ts';
import type { Clock } from '../system/clock.ts';
import { Failed, type Failure } from '../system/failure.ts';
import { writeWhole } from '../system/files.ts';
import { lockHeld } from '../system/flock.ts';
import type { Log } from '../system/log.ts';
import type { PidFiles } from '../system/pidfile.ts';
import { identify } from '../system/process.ts';
import type { Used } from '../vm/accelerator.ts';
import type { Machine, VmDriver } from '../vm/driver.ts';
import { followOutput, type ChildOutput } from './child-output.ts';
import type { Kept } from './comeback.ts';
import { networkExited, vmExited, vmKilled } from './failure.ts';
import type { GuestNames } from './guest-names.ts';
import type { ChosenImage } from './images.ts';
import { troubleIn, withKnown } from './known.ts';
import { orItsEnd } from './or-its-end.ts';
import { pidFiles } from './left-behind.ts';
import { MemoryWatch } from './memory-watch.ts';
import { discardSocket, keepPid, keepSocket } from './upkeep.ts';

/** What a start has acquired so far. */
export interface Running extends Kept {
  vm?: Child;
  driver?: VmDriver;
  /** Follows what the VM program says into our log. */
  output?: ChildOutput;
  console?: Console;
  machine?: Machine;
  /** Looks for what kills without a word, while the VM runs. */
  memory?: MemoryWatch;
  network?: RunningNetwork;
  /** The network program that did not serve, by its own doing. */
  unfit?: Unfit;
  /** What it boots. */
  image?: ChosenImage;
  /** Which way it runs the guest's code in, where there are several. */
  used?: Used;
  /** The guest was ready. */
  wasReady?: true;
  /** Of the keys that it boots with. */
  keys?: string;
  /** Whom it asks for names. */
  names?: GuestNames;
  /** Gives the VM's record and sockets their names again. */
  keepVm?: () => void;
}

/** A moment's work, every 5 s: reads what the children wrote, and sees that what others find them by is there. */
export function tickChildren({ memory, console, output, network, keepVm }: Running): void {
  memory?.tick();
  for (const told of [console, output, network?.output]) told?.poke();
  keepVm?.();
  network?.keep();
}

export interface RunningNetwork {
  readonly child: Child;
  readonly name: string;
  /** A sentence for each better one that does not serve here. */
  readonly rejected: readonly string[];
  readonly pid: PidFiles;
  readonly output: ChildOutput;
  /** How long it is worth waiting after SIGTERM. */
  readonly graceMs: number;
  /** Files that it makes and may leave. */
  readonly stale: readonly string[];
  /** Gives its record and sockets their names again. */
  readonly keep: () => void;
}

export interface ChildContext {
  readonly config: Config;
  readonly layout: Layout;
  readonly driver: VmDriver;
  readonly clock: Clock;
  readonly log: Log;
  readonly onLine: (line: ConsoleLine) => void;
  /** A child ended, or cannot do what it is for. */
  readonly onLost: (failure: Failure) => void;
  /** The network program lives on and says something that others have reported: what that is, and what helps. */
  readonly onNetworkTrouble: (words: string) => void;
}

/** Starts the network program and waits until it would serve our guest. */
export async function launchNetwork(
  context: ChildContext,
  running: Running,
  chosen: NonNullable<Chosen>,
  plan: Launch,
  signal: AbortSignal,
): Promise<void> {
  const { layout, clock, onLost } = context;
  const { child, output, keep } = (running.network = await beginNetwork(
    context,
    running,
    chosen,
    plan,
  ));
  keep();
  const life: { ended?: Ended; serves?: true } = {};
  // What served, or is being stopped, has nothing to teach.
  const blame = () => {
    if (life.serves !== true && !signal.aborted) running.unfit = chosen;
  };
  const meaning = (ended: Ended) => {
    const words = output.last();
    const noLock = lockRefused(ended, words, layout.networkLock);
    if (noLock !== undefined) return noLock;
    const failure = networkExited(chosen.driver.name, ended, words);
    if (isOwnEnd(ended)) blame();
    return withKnown(failure, { program: chosen.driver.name, ended, output: words });
  };
  void child.ended.then((ended) => {
    life.ended = ended;
    onLost(meaning(ended));
  });
  const { link } = chosen;
  const uuid = cardUuid(layout);
  try {
    await orItsEnd((inLife) => chosen.driver.ready({ layout, link, uuid, clock, signal: inLife }), {
      ended: child.ended,
      meaning,
      clock,
      signal,
    });
    life.serves = true;
  } catch (error) {
    if (error instanceof Failed && life.ended === undefined) blame();
    throw error;
  }
}

async function beginNetwork(
  { layout, clock, log, onNetworkTrouble }: ChildContext,
  running: Running,
  chosen: NonNullable<Chosen>,
  plan: Launch,
): Promise<RunningNetwork> {
  const { driver, rejected } = chosen;
  const { name, graceMs } = driver;
  writeWhole(layout.vpnkitUuid, cardUuid(layout), { durable: false });
  const stale = driver.stale(layout);
  for (const path of stale) discardSocket(path);
  const onLine = (line: string) => {
    const words = troubleIn(name, line);
    if (words !== undefined) onNetworkTrouble(words);
  };
  const output = followOutput(layout.networkOutput, name, { clock, log, onLine });
  const files = { output: layout.networkOutput, lock: layout.networkLock };
  const child = await launch(plan, files, clock).catch(async (error: unknown) => {
    await output.close();
    throw error;
  });
  if ('kind' in child) {
    await output.close();
    running.unfit = chosen;
    throw new Failed(networkExited(name, child, []));
  }
  const pid = pidFiles(layout, name);
  const keep = keeper(pid, child.pid, { plan, sockets: stale });
  return { child, name, rejected, pid, output, graceMs, stale, keep };
}

/** What was written of it once is written again where it is gone, for as long as it lives. */
function keeper(
  files: PidFiles,
  pid: number,
  { plan, sockets }: { readonly plan: Launch; readonly sockets: readonly string[] },
): () => void {
  return () => {
    if (identify(pid) === undefined) return;
    try {
      keepPid(files, pid, basename(plan.program));
    } catch (error) {
      // On a full disk, for instance: the next look will do.
      if (!(error instanceof Failed)) throw error;
    }
    for (const socket of sockets) keepSocket(socket);
  };
}

/** Not ended by somebody, and not for want of its lock. */
const isOwnEnd = (ended: Ended): boolean =>
  ended.kind === 'signalled'
    ? !['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGHUP'].includes(ended.signal)
    : ended.kind !== 'exited' || ended.code !== lockHeld;

/** Starts the VM program, with its console open before it writes. */
export async function launchVm(
  context: ChildContext,
  running: Running,
  plan: Launch,
): Promise<Child> {
  const { layout, driver, clock, log, onLine, onLost } = context;
  running.driver = driver;
  running.console = openConsole({
    path: layout.consoleRing,
    logPath: layout.consoleLog,
    kind: driver.row.console.form,
    clock,
    onLine,
  });
  for (const path of driver.stale(layout)) discardSocket(path);
  running.output = followOutput(layout.vmOutput, 'vm', { clock, log, isNoise: driver.isNoise });
  const vm = await launch(plan, { output: layout.vmOutput, lock: layout.vmLock }, clock);
  if ('kind' in vm) throw new Failed(vmExited(basename(plan.program), vm, undefined, []));
  running.vm = vm;
  running.memory = new MemoryWatch();
  void vm.ended.then((ended) => onLost(vmFailure(context, running, ended)));
  const sockets = driver.stale(layout);
  running.keepVm = keeper(pidFiles(layout, driver.name), vm.pid, { plan, sockets });
  running.keepVm();
  return vm;
}

/** Why the VM ended, from everything that may know: its exit, its words, its control channel, the console. */
export function vmFailure(
  { driver, layout }: Pick<ChildContext, 'driver' | 'layout'>,
  running: Running,
  ended: Ended,
): Failure {
  // The console's last lines may hold the true reason; the first reason wins.
  running.console?.readToEnd();
  const output = running.output?.last() ?? [];
  const all = running.output?.last(Infinity) ?? [];
  // A panic's call trace may have a hundred lines.
  const console = running.console?.last(200) ?? [];
  const isKilled = ended.kind === 'signalled' && ended.signal === 'SIGKILL';
  const failure =
    lockRefused(ended, output, layout.vmLock) ??
    driver.explain?.({
      ...{ ended, output: all, console, accelerator: running.used?.accelerator },
      wasReady: running.wasReady === true,
    }) ??
    (isKilled
      ? vmKilled(driver.name, running.memory?.ranOut(), output)
      : vmExited(driver.name, ended, running.machine?.reason(), output));
  const { lines } = failure;
  const told = lines === undefined ? failure : { ...failure, lines: lines.slice(-40) };
  return withKnown(told, { program: driver.name, ended, output });
}
