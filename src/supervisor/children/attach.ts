/** The last step of a launch: the VM's control channel answers, and a guest that was saved is in it. */
import type { Network } from '../../domain/guest-network.ts';
import type { Child, ExitStatus } from '../../system/process/child.ts';
import type { Failure } from '../../system/failure.ts';
import type { VmControl } from '../../vm/vm-driver.ts';
import type { RunningVm } from '../running.ts';
import type { ChildContext } from './launch-followed.ts';
import { vmFailure } from './vm-child.ts';
import { loadGuest, type PlannedGuest } from '../idle/comeback.ts';
import { raceWithExit } from './race-exit.ts';
import type { SavedGuest } from '../idle/saved-guest.ts';
import type { Scope } from '../scope.ts';

/** A VM whose control channel answers. */
export interface AttachedVm {
  readonly child: Child;
  readonly machine: VmControl;
  readonly planned: PlannedGuest;
}

interface Attaching {
  readonly vm: RunningVm;
  readonly network: Network;
  readonly saved: SavedGuest | undefined;
}

/** Connects to the control channel, and has a saved guest go on; or the reason why that cannot be: a VM that died says more than a socket that did not come. */
export async function attach(
  { layout, clock }: ChildContext,
  scope: Scope,
  { vm, network, saved }: Attaching,
): Promise<VmControl> {
  const { running, facts, signal, tell, guest } = scope;
  const { child } = vm;
  const meaning = (ended: ExitStatus) => vmFailure(layout, scope, vm, ended);
  // It lives on and will not run its guest again: what it said is the reason.
  const onLost = (failure: Failure) =>
    tell({ type: 'lost', failure: { ...failure, lines: vm.output.last() } });
  const { onPaused, onResumed } = guest.vmPause;
  const connect = async (inLife: AbortSignal) => {
    const machine = await running.tried.driver.attach({
      layout,
      clock,
      network,
      onPaused,
      onResumed,
      onLost,
      signal: inLife,
      signalVm: (name) => child.signal(name),
    });
    vm.machine = machine;
    facts.see('vm-answers');
    if (saved !== undefined) await loadGuest(machine, saved, { layout, clock, signal: inLife });
    return machine;
  };
  return raceWithExit(connect, { ended: child.ended, meaning, clock, signal });
}
