/** The last steps of a start, when its VM runs: until Nix may come. */
import type { Layout } from '../config/layout.ts';
import type { Clock } from '../system/clock.ts';
import { failureOf } from '../system/failure.ts';
import type { Log } from '../system/log.ts';
import { keepChoice, type ChooseVm } from '../vm/choose-vm.ts';
import type { GuestKeys } from './builder-keys.ts';
import { untilAwake } from './comeback.ts';
import { judgeNix } from './guest-nix.ts';
import type { Scope } from './scope.ts';
import { trialOf } from './suspend-trial.ts';

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
export function noteLaunch({ running: { vm, machine, network }, facts, note }: Scope): void {
  const tunnelPort = machine?.tunnel.kind === 'tcp' ? machine.tunnel.port : undefined;
  const rejected = [...(facts.rejected ?? []), ...(network?.rejected ?? [])];
  note({
    vmPid: vm?.pid,
    tunnelPort,
    network: network?.name,
    networkPid: network?.child.pid,
    rejected: rejected.length > 0 ? rejected : undefined,
  });
}

/** Resolves when the guest is ready: it has booted, or goes on from its file. */
export async function untilReady(scope: Scope, where: Resuming): Promise<void> {
  const { running, facts, note } = scope;
  const probe = await (running.resumed === undefined ? booted(scope) : awake(scope, where));
  running.wasReady = true;
  running.console?.settle();
  scope.onStep('ready');
  const nix = judgeNix(probe.nixVersion, facts.image, where);
  note({ clockOffsetMs: Math.round(probe.clockOffsetMs), ...nix });
}

/** What is written of a program cannot end the guest that runs by it. */
export function keepProgram({ log, ...options }: ChooseVm & Pick<Where, 'log'>, vm: string): void {
  try {
    keepChoice(options, vm);
  } catch (error) {
    log('warn', 'vm-not-kept', { failure: failureOf(error) });
  }
}

const booted = ({ running: { machine }, watch, signal }: Scope) => {
  if (machine === undefined) throw new Error('no machine to wait for');
  return watch.ready(machine, signal);
};

async function awake(scope: Scope, where: Resuming) {
  const { running, agent, signal, watch } = scope;
  const { machine, resumed, keeping } = running;
  if (machine === undefined) throw new Error('no machine to wait for');
  const isTrial = trialOf(where.layout, keeping?.basis ?? '', where.clock.now()) === 'untried';
  watch.resumed();
  await untilAwake({ ...where, machine, agent, signal, isTrial });
  await where.keys.tell(scope);
  scope.expectHalt(false);
  return { nixVersion: resumed?.nixVersion, clockOffsetMs: 0 };
}
