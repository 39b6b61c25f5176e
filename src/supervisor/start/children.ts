/** The two children of a start: launched, registered in Running the moment they live, and their ends read for what they mean. */
import { basename } from 'node:path';
import type { Layout } from '../../config/layout.ts';
import type { Chosen } from '../../net/networks.ts';
import { cardUuid } from '../../net/vpnkit.ts';
import { launch, type ExitStatus, type Launch } from '../../system/process/child.ts';
import { neverRan } from '../../system/process/never-ran.ts';
import type { Clock } from '../../system/time/clock.ts';
import { Failed, type Failure } from '../../system/failure.ts';
import { writeWhole } from '../../system/files/files.ts';
import { lockHeld } from '../../system/lock/flock.ts';
import type { Log } from '../../system/log.ts';
import { followOutput, type ChildOutput } from './child-output.ts';
import { networkExited, vmExited, vmKilled } from '../health/child-failures.ts';
import { troubleIn, withKnownFaults } from '../health/with-known-faults.ts';
import { raceWithExit } from './race-exit.ts';
import type { Running, RunningNetwork, RunningVm } from '../running.ts';
import type { StartFacts } from './start-facts.ts';
import type { Event } from '../lifecycle/state.ts';
import { pidFiles } from '../stop/leftovers.ts';
import { MemoryWatch } from '../health/memory-watch.ts';
import { discardSocket, keeper } from '../stop/upkeep.ts';

/** What launching needs beside the start itself. */
export interface ChildContext {
  readonly layout: Layout;
  readonly clock: Clock;
  readonly log: Log;
}

/** The start that they are of. */
interface OfStart {
  readonly running: Running;
  readonly signal: AbortSignal;
  readonly facts: Pick<StartFacts, 'note'>;
  readonly guest: {
    /** The console's last lines. */
    lastLines(count: number): readonly string[];
    /** Reads what a VM that has ended wrote last. */
    readConsole(): void;
  };
  readonly tell: (event: Event) => void;
}

/** Starts the network program and waits until it would serve our guest. */
export async function launchNetwork(
  context: ChildContext,
  scope: OfStart,
  chosen: NonNullable<Chosen>,
  plan: Launch,
): Promise<void> {
  const { layout, clock } = context;
  const { running, signal, tell } = scope;
  running.network = await beginNetwork(context, scope, chosen, plan);
  const { child, output, keep } = running.network;
  keep();
  const life: { ended?: ExitStatus; serves?: true } = {};
  // What served, or is being stopped, has nothing to teach.
  const blame = () => {
    if (life.serves !== true && !signal.aborted) running.tried.unfit = chosen;
  };
  const meaning = (ended: ExitStatus) => {
    const words = output.last();
    const never = neverRan(ended, words, layout.networkLock);
    if (never?.kind !== 'no-locks' && isOwnEnd(ended)) blame();
    if (never !== undefined) return never;
    const failure = networkExited(chosen.driver.name, ended, words);
    return withKnownFaults(failure, { program: chosen.driver.name, ended, output: words });
  };
  void child.ended.then((ended) => {
    life.ended = ended;
    tell({ type: 'lost', failure: meaning(ended) });
  });
  const { driver, link } = chosen;
  const uuid = cardUuid(layout);
  const ready = (inLife: AbortSignal) =>
    driver.ready({ layout, link, uuid, clock, signal: inLife });
  try {
    await raceWithExit(ready, { ended: child.ended, meaning, clock, signal });
    life.serves = true;
  } catch (error) {
    if (error instanceof Failed && life.ended === undefined) blame();
    throw error;
  }
}

async function beginNetwork(
  { layout, clock, log }: ChildContext,
  { running, facts }: OfStart,
  chosen: NonNullable<Chosen>,
  plan: Launch,
): Promise<RunningNetwork> {
  const { driver, rejected } = chosen;
  const { name, graceMs } = driver;
  writeWhole(layout.vpnkitUuid, cardUuid(layout), { durable: false });
  const stale = driver.stale(layout);
  for (const path of stale) discardSocket(path);
  const onLine = (line: string) => {
    const networkTrouble = troubleIn(name, line);
    if (networkTrouble !== undefined) facts.note({ networkTrouble });
  };
  const output = followOutput(layout.networkOutput, name, { clock, log, onLine });
  const files = { output: layout.networkOutput, lock: layout.networkLock };
  const child = await launchFollowed(plan, files, output, clock);
  if ('kind' in child) {
    running.tried.unfit = chosen;
    throw new Failed(networkExited(name, child, []));
  }
  const pid = pidFiles(layout, name);
  const keep = keeper(pid, child.pid, { plan, sockets: stale });
  return { child, name, rejected, pid, output, graceMs, stale, keep };
}

/** Launches a program whose output is followed already. Where it does not begin, nobody follows its output any longer. */
async function launchFollowed(
  plan: Launch,
  files: Parameters<typeof launch>[1],
  output: ChildOutput,
  clock: Clock,
): ReturnType<typeof launch> {
  let hasBegun = false;
  try {
    const child = await launch(plan, files, clock);
    hasBegun = !('kind' in child);
    return child;
  } finally {
    if (!hasBegun) await output.close();
  }
}

/** Not ended by somebody, and not for want of its lock. */
const isOwnEnd = (ended: ExitStatus): boolean =>
  ended.kind === 'signalled'
    ? !['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGHUP'].includes(ended.signal)
    : ended.kind !== 'exited' || ended.code !== lockHeld;

/** Starts the VM program, whose console is followed already. */
export async function launchVm(
  context: ChildContext,
  scope: OfStart,
  plan: Launch,
): Promise<RunningVm> {
  const { layout, clock, log } = context;
  const { running, tell } = scope;
  const { driver } = running.tried;
  const sockets = driver.stale(layout);
  for (const path of sockets) discardSocket(path);
  const output = followOutput(layout.vmOutput, 'vm', { clock, log, isNoise: driver.isNoise });
  const files = { output: layout.vmOutput, lock: layout.vmLock };
  const child = await launchFollowed(plan, files, output, clock);
  if ('kind' in child) throw new Failed(vmExited(basename(plan.program), child, undefined, []));
  const keep = keeper(pidFiles(layout, driver.name), child.pid, { plan, sockets });
  const vm = (running.vm = { child, output, memory: new MemoryWatch(), keep });
  void child.ended.then((ended) =>
    tell({ type: 'lost', failure: vmFailure(layout, scope, vm, ended) }),
  );
  keep();
  return vm;
}

/** Why the VM ended, from everything that may know: its exit, its words, its control channel, the console. */
export function vmFailure(
  layout: Layout,
  { running, guest }: Pick<OfStart, 'running' | 'guest'>,
  { output, memory, machine }: Pick<RunningVm, 'output' | 'memory' | 'machine'>,
  ended: ExitStatus,
): Failure {
  const { driver, used } = running.tried;
  // The console's last lines may hold the true reason; the first reason wins.
  guest.readConsole();
  const words = output.last();
  const isKilled = ended.kind === 'signalled' && ended.signal === 'SIGKILL';
  const failure =
    neverRan(ended, words, layout.vmLock) ??
    driver.explain?.({
      ended,
      output: output.last(Infinity),
      console: guest.lastLines(200), // a panic's call trace may have a hundred
      accelerator: used?.accelerator,
      wasReady: running.guest?.wasReady === true,
    }) ??
    (isKilled
      ? vmKilled(driver.name, memory.ranOut(), words)
      : vmExited(driver.name, ended, machine?.reason(), words));
  const told = failure.lines ? { ...failure, lines: failure.lines.slice(-40) } : failure;
  return withKnownFaults(told, { program: driver.name, ended, output: words });
}
