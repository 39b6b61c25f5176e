/** A running vfkit: its REST interface for the VM, a vsock socket for the guest's agent; sshd is reached by the network. */
import { stat } from 'node:fs/promises';
import { vmPrograms } from '../../domain/vm-programs.ts';
import { within } from '../../system/time/deadline.ts';
import { Exit, Failed, type Failure } from '../../system/failure.ts';
import type { AttachOptions, VmControl, VmDriver } from '../vm-driver.ts';
import { vfkitAbilities } from './vfkit-abilities.ts';
import { keepAgent } from './agent-seat.ts';
import { vfkitPlan, vfkitProblems, vfkitStale } from './vfkit-argv.ts';
import { explainVfkit } from './vfkit-exit.ts';
import { RestApi, type VmState } from './rest-api.ts';
import { advice, ours } from '../../system/advice.ts';

export const vfkit: VmDriver = {
  name: 'vfkit',
  row: vmPrograms.vfkit,
  program: () => 'vfkit',
  abilities: vfkitAbilities,
  problems: vfkitProblems,
  plan: vfkitPlan,
  stale: vfkitStale,
  attach: attachVfkit,
  // A line for each question that we ask.
  isNoise: (line) => line.startsWith('[GIN'),
  explain: explainVfkit,
};

/** vfkit itself gives its VM 5 s from the moment in which it asked for it; before that it reads files and is validated. */
const runningMs = 30_000;
/** It tells nothing by itself: its state is asked for. */
const lookEveryMs = 250;

/** Waits until the VM runs. Until it was started its state is `Stopped` too, so that one says nothing yet. */
export async function attachVfkit(options: AttachOptions): Promise<VmControl> {
  const { layout, clock, signal, network } = options;
  if (network.tunnel === undefined) throw new Error(`${network.name} does not lead to the guest`);
  const rest = new RestApi({ path: layout.vfkitRest, clock });
  const late = () => vfkitStuck;
  await within((inTime) => untilRunning(rest, options, inTime), {
    ...options,
    timeoutMs: runningMs,
    late,
  });
  const seat = await keepAgent({ path: layout.agent, vsock: layout.vfkitAgent });
  const states = new States(options);
  return {
    tunnel: network.tunnel,
    // Taken at once, and heard by nobody where the guest's kernel has no key for it: the agent and a login come first.
    powerOff: () => rest.wish('Stop'),
    // vfkit may end before it has answered.
    hardStop: () => rest.wish('HardStop').catch(() => undefined),
    resume: () => rest.wish('Resume'),
    // It counts nothing; but each write of the guest is a write of this file, and nobody else writes it.
    diskOperations: async () => (await stat(layout.disk)).mtimeMs,
    describe: async () => ({ state: await rest.state(), machine: await rest.inspect() }),
    look: async () => {
      const state = await rest.state(signal).catch((error: unknown) => {
        if (!(error instanceof Failed)) throw error;
        return undefined;
      });
      if (state !== undefined) states.take(state);
    },
    reason: () => undefined,
    close: () => seat.close(),
  };
}

async function untilRunning(
  rest: RestApi,
  { clock }: AttachOptions,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    try {
      const state = await rest.state(signal);
      if (state === 'Running') return;
      if (state === 'Error') throw new Failed(vfkitFailed);
    } catch (error) {
      // It does not listen yet, or this machine is slow. Who ended is its child's end to tell.
      if (!(error instanceof Failed) || error.failure.unanswered !== true) throw error;
    }
    await clock.sleep(lookEveryMs, signal);
  }
}

/** What a VM that has run is now; each change is told once. */
class States {
  readonly #news: AttachOptions;
  #last: VmState = 'Running';

  constructor(news: AttachOptions) {
    this.#news = news;
  }

  take(state: VmState): void {
    if (state === this.#last) return;
    const { onPaused, onResumed, onLost } = this.#news;
    const was = this.#last;
    this.#last = state;
    switch (state) {
      case 'Running':
        if (was === 'Paused') onResumed?.();
        return;
      case 'Paused':
        return onPaused?.('unknown');
      case 'Error':
        return onLost?.(vfkitFailed);
      // Its process may stay with a VM that is stopped (two readers of one channel, cmd/vfkit/main.go).
      case 'Stopped':
        return onLost?.(vfkitStopped);
      default:
        return;
    }
  }
}

/** Its state is `Error`. */
export const vfkitFailed: Failure = {
  kind: 'vm-error',
  vmFault: 'passes',
  message: 'Virtualization.framework stopped the VM because of an error.',
  hint: 'vfkit is not told the reason; look in Console.app for reports of com.apple.Virtualization.VirtualMachine.',
  exit: Exit.unavailable,
  deaf: 'dead',
};

/** Its state is `Stopped`, once the VM has run. */
export const vfkitStopped: Failure = {
  kind: 'guest-powered-off',
  message: 'The guest shut down by itself, but vfkit is still running.',
  hint: advice`See the guest's last lines: ${ours('console')}`,
  exit: Exit.unavailable,
  blames: 'image',
  deaf: 'dead',
};

/** Its state did not become `Running`. */
export const vfkitStuck: Failure = {
  kind: 'vm-stuck',
  vmFault: 'passes',
  message: `vfkit did not start the VM within ${runningMs / 1000} s.`,
  hint: advice`Another program may have the disk open, or the host may be asleep or overloaded. See its output: ${ours('logs')}`,
  exit: Exit.unavailable,
};
