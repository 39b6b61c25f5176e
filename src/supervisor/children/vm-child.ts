/** The VM process of a start: launched, registered in Running the moment it lives, and its end read for what it means. */
import { basename } from 'node:path';
import type { Layout } from '../../config/layout.ts';
import { Failed, type Failure } from '../../system/failure.ts';
import type { ExitStatus, Launch } from '../../system/process/child.ts';
import { neverRan } from '../../system/process/never-ran.ts';
import { vmExited, vmKilled } from '../health/child-failures.ts';
import { MemoryWatch } from '../health/memory-watch.ts';
import { withKnownFaults } from '../health/with-known-faults.ts';
import type { RunningVm } from '../running.ts';
import { pidFiles } from '../stop/leftovers.ts';
import { launchFollowed, type ChildContext, type OfStart } from './launch-followed.ts';

/** Starts the VM program, whose console is followed already. */
export async function launchVm(
  context: ChildContext,
  scope: OfStart,
  plan: Launch,
): Promise<RunningVm> {
  const { layout } = context;
  const { running, tell } = scope;
  const { driver } = running.tried;
  const pid = pidFiles(layout, driver.name);
  const sockets = driver.stale(layout);
  const files = { output: layout.vmOutput, lock: layout.vmLock };
  const { isNoise } = driver;
  const begun = await launchFollowed({ name: 'vm', plan, files, pid, sockets, isNoise }, context);
  if ('kind' in begun) throw new Failed(vmExited(basename(plan.program), begun, undefined, []));
  const vm = (running.vm = { ...begun, memory: new MemoryWatch() });
  void vm.child.ended.then((ended) =>
    tell({ type: 'lost', failure: vmFailure(layout, scope, vm, ended) }),
  );
  vm.keep();
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
  return withKnownFaults(told, { program: driver.name, ended, output: output.last(Infinity) });
}
