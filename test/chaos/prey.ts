/** The processes that chaos strikes. */
import { readLive } from '../../src/system/files/pidfile.ts';
import { fact } from '../real/command.ts';
import type { BuilderRig } from '../real/rig.ts';
import { vms, type Target } from './plan.ts';

/** By what names they are recorded: of the VM programs at most one lives. */
const names: Readonly<Record<Target, readonly string[]>> = {
  daemon: ['daemon'],
  vm: vms,
  network: ['gvproxy'],
};

/** The pid of that process of the builder, if it lives. */
export function pidOf({ layout }: BuilderRig, target: Target): number | undefined {
  const live = names[target].flatMap(
    (name) => readLive({ plain: layout.pid(name), record: layout.pidRecord(name) }) ?? [],
  );
  return live[0]?.pid;
}

/** Whether it is that process no more. */
export const isGone = (rig: BuilderRig, target: Target, pid: number): boolean =>
  pidOf(rig, target) !== pid;

/** Resolves when it is dead by SIGKILL; at once when there is no such process. */
export async function killed(
  rig: BuilderRig,
  target: Target,
  pid: number | undefined,
): Promise<void> {
  if (pid === undefined) return;
  send(pid, 'SIGKILL');
  await fact(`the end of the ${target}`, () => isGone(rig, target, pid));
}

/** No error when it has ended in between. */
export function send(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It is gone.
  }
}
