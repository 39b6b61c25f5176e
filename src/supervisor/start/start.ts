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
  const prepared = await prepareStart(context, scope);
  const { tried } = scope.running;
  const { program, accelerator, planned } = prepared;
  scope.running.guest = planned;
  if (planned.resumed !== undefined) {
    scope.guest.vmPause.expect(true);
    scope.tell({ type: 'resumes' });
  } else if (hasChoice(tried.driver.row)) tried.used = { accelerator, program };
  scope.signal.throwIfAborted();
  return launchBoth(context, scope, prepared);
}

/** The network, then the VM, then what the VM is told over its control channel. */
async function launchBoth(
  context: StartContext,
  scope: Scope,
  prepared: Prepared,
): Promise<AttachedVm> {
  const { layout, log, clock } = context;
  const { facts, guest, signal } = scope;
  const { tried } = scope.running;
  const { program, network, accelerator, plan, planned } = prepared;
  const saved = planned.resumed;
  if (network !== undefined && plan.network !== undefined) {
    await launchNetwork(context, scope, network, plan.network);
    facts.see('network-serves');
  }
  signal.throwIfAborted();
  await untilDiskIsFree(layout.disk, { clock, signal, log });
  guest.openConsole();
  const vm = await launchVm(context, scope, vmLaunch(prepared, tried.driver));
  facts.see('vm-started');
  const given = networkOf(network, { layout });
  const machine = await attach(context, scope, { vm, network: given, saved });
  if (saved !== undefined) {
    tried.used = { accelerator, program };
    facts.see('memory-loaded');
  }
  return { child: vm.child, machine, planned };
}

/** Where a guest goes on from its file, the program is told to wait for it. */
function vmLaunch({ plan: { vm }, planned }: Prepared, { awaitsGuest = [] }: VmDriver): Launch {
  return planned.resumed === undefined ? vm : { ...vm, argv: [...vm.argv, ...awaitsGuest] };
}
