/**
 * One start: from a config to a booting VM. Everything acquired is registered in Running at the moment it is acquired, so
 * that whoever ends the start ends just what there is.
 */
import { attach, type AttachedVm } from '../children/attach.ts';
import { launchNetwork } from '../children/network-child.ts';
import { launchVm } from '../children/vm-child.ts';
import { untilDiskIsFree } from '../disk/disk-free.ts';
import type { Launch } from '../../system/process/child.ts';
import type { VmDriver } from '../../vm/vm-driver.ts';
import type { Scope } from '../scope.ts';
import { hasChoice } from './chosen-vm.ts';
import { networkOf } from './launch-plan.ts';
import { prepareStart, type Prepared, type StartContext } from './prepare-start.ts';

/** Launches network and VM and connects to the VM's control channel. Rejects with Failed, or when the scope ends. */
export async function start(context: StartContext, scope: Scope): Promise<AttachedVm> {
  const prepared = await prepareStart(context, scope).catch((error: unknown) => {
    // It would have booted, unless it had taken a guest's file.
    if (scope.running.saved === undefined) scope.recordBoot();
    throw error;
  });
  const { planned } = prepared;
  scope.running.guest = planned;
  if (planned.resumed !== undefined) {
    scope.guest.vmPause.expect(true);
    scope.tell({ type: 'resumes' });
  } else {
    scope.recordBoot();
    if (hasChoice(scope.running.tried.driver.row)) noteUsed(scope, prepared);
  }
  scope.signal.throwIfAborted();
  return launchBoth(context, scope, prepared);
}

/** The network, then the VM, then what the VM is told over its control channel. */
async function launchBoth(
  context: StartContext,
  scope: Scope,
  prepared: Prepared,
): Promise<AttachedVm> {
  const { layout } = context;
  const { facts, guest, signal } = scope;
  const { planned } = prepared;
  const saved = planned.resumed;
  await launchOwnNetwork(context, scope, prepared);
  signal.throwIfAborted();
  await untilDiskIsFree(layout.disk, { ...context, signal });
  guest.openConsole();
  const vm = await launchVm(context, scope, vmLaunch(prepared, scope.running.tried.driver));
  facts.see('vm-started');
  const network = networkOf(prepared.network, { layout });
  const machine = await attach(context, scope, { vm, network, saved });
  if (saved !== undefined) {
    noteUsed(scope, prepared);
    facts.see('memory-loaded');
  }
  return { child: vm.child, machine, planned };
}

/** None where the VM program makes it itself. */
async function launchOwnNetwork(
  context: StartContext,
  scope: Scope,
  { network, plan }: Prepared,
): Promise<void> {
  if (network === undefined || plan.network === undefined) return;
  await launchNetwork(context, scope, network, plan.network);
  scope.facts.see('network-serves');
}

function noteUsed({ running: { tried } }: Scope, { accelerator, program }: Prepared): void {
  tried.used = { accelerator, program };
}

/** Where a guest goes on from its file, the program is told to wait for it. */
function vmLaunch({ plan: { vm }, planned }: Prepared, { awaitsGuest = [] }: VmDriver): Launch {
  return planned.resumed === undefined ? vm : { ...vm, argv: [...vm.argv, ...awaitsGuest] };
}
