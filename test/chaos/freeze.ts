/** What must hold while a process stands still, and how it goes on. */
import { setTimeout as pause } from 'node:timers/promises';
import { fact } from '../real/command.ts';
import type { BuilderRig } from '../real/rig.ts';
import type { Freeze } from './plan.ts';
import { isGone, pidOf, send } from './prey.ts';
import { Violated } from './violated.ts';

/** A VM that is frozen is found within 40 s and then given no time; twice that is for a machine that is busy. */
const foundMs = 80_000;

/** A process that stands still. */
export interface Frozen {
  /** Resolves when it has stood as long as it shall, or was killed. Throws Violated when somebody took its place. */
  readonly over: () => Promise<void>;
  /** Lets it go on unless it stands for good; no error if it is gone. */
  readonly thaw: () => void;
}

/** Halts it; undefined when there is no such process now. */
export function freeze(rig: BuilderRig, { whom, ms }: Freeze): Frozen | undefined {
  const pid = pidOf(rig, whom);
  if (pid === undefined) return undefined;
  send(pid, 'SIGSTOP');
  return {
    over: async () => {
      if (whom === 'daemon') await isAlone(rig);
      if (ms !== undefined) await pause(ms);
    },
    thaw: () => {
      if (ms !== undefined) send(pid, 'SIGCONT');
    },
  };
}

/** Resolves when the daemon has killed the VM, because it is frozen. */
export async function isFoundFrozen(rig: BuilderRig, pid: number): Promise<void> {
  try {
    await fact('the end of a frozen VM', () => isGone(rig, 'vm', pid), foundMs);
  } catch (error) {
    throw new Violated('frozen-found', (error as Error).message);
  }
  const because = rig.status()?.because ?? rig.status()?.last;
  if (because?.kind !== 'guest-frozen')
    throw new Violated('frozen-found', `it ended for another reason: ${because?.kind ?? 'none'}`);
}

/** Nobody takes the place of a daemon that is frozen, however long. */
async function isAlone(rig: BuilderRig): Promise<void> {
  const started = () => rig.log('daemon-started').length;
  const before = started();
  const second = rig.begin('daemon');
  await fact('a second daemon has decided', () => second.end !== undefined || started() > before);
  if (second.end !== 75)
    throw new Violated('one-daemon', 'a second daemon started while the first was only frozen');
}
