/** The last steps of a start, when its VM runs: until Nix may come. */
import type { Layout } from '../../config/layout.ts';
import type { Clock } from '../../system/time/clock.ts';
import { Failed, failureOf } from '../../system/failure.ts';
import type { Log } from '../../system/log.ts';
import type { ChooseVm } from '../../vm/choose-vm.ts';
import { keepChoice } from '../../vm/vm-lesson.ts';
import type { AttachedVm } from '../children/attach.ts';
import type { GuestKeys } from './builder-keys.ts';
import { complains, untilAwake } from '../idle/comeback.ts';
import { judgeNix } from './guest-nix.ts';
import type { Scope } from '../scope.ts';
import { trialOf } from '../suspend/suspend-trial.ts';

interface Where {
  readonly layout: Layout;
  readonly clock: Clock;
  readonly log: Log;
}

interface Resuming extends Where {
  /** Nobody comes in by a key that is no good any more. */
  readonly keys: Pick<GuestKeys, 'tell'>;
}

/** Network and VM run, and the VM's control channel answers. */
export function noteLaunch({ facts, running: { network } }: Scope, vm: AttachedVm): void {
  const { tunnel } = vm.machine;
  facts.note({
    vmPid: vm.child.pid,
    tunnelPort: tunnel.kind === 'tcp' ? tunnel.port : undefined,
    network: network?.name,
    networkPid: network?.child.pid,
  });
  facts.reject(network?.rejected ?? []);
}

/** Resolves when the guest is ready: it has booted, or goes on from its file. */
export async function untilReady(scope: Scope, vm: AttachedVm, where: Resuming): Promise<void> {
  const { guest, facts, signal } = scope;
  const { planned, machine } = vm;
  const probe = await (planned.resumed === undefined
    ? guest.boot.ready(machine, signal)
    : awake(scope, vm, where));
  planned.wasReady = true;
  guest.settle();
  facts.see('ready');
  const nix = judgeNix(probe.nixVersion, facts.all.image, where);
  facts.note({ clockOffsetMs: Math.round(probe.clockOffsetMs), ...nix });
}

/** What is written of a program cannot end the guest that runs by it. */
export function keepProgram(
  { config, running }: Pick<Scope, 'config' | 'running'>,
  { layout, known, log }: Omit<ChooseVm, 'config'> & Pick<Where, 'log'>,
): void {
  try {
    keepChoice({ config, layout, known }, running.tried.driver.name);
  } catch (error) {
    log('warn', 'vm-not-kept', { failure: failureOf(error) });
  }
}

async function awake(scope: Scope, { machine, planned }: AttachedVm, where: Resuming) {
  const { signal } = scope;
  const { agent, awake: clock, boot, vmPause } = scope.guest;
  const isTrial = trialOf(where.layout, planned.keeping.basis, where.clock.now()) !== 'works';
  boot.resumed();
  scope.running.greeted = await untilAwake({ ...where, clock, machine, agent, signal, isTrial });
  const complaint = isTrial ? scope.guest.complaint : undefined;
  if (complaint !== undefined) throw new Failed(complains(complaint));
  await where.keys.tell({ agent, told: planned, signal });
  vmPause.expect(false);
  return { nixVersion: planned.resumed?.nixVersion, clockOffsetMs: 0 };
}
