/** Waits for the moment of a round and deals its blow. */
import { setTimeout as pause } from 'node:timers/promises';
import { readLive } from '../../src/system/pidfile.ts';
import { fact, type Command } from '../real/command.ts';
import type { BuilderRig } from '../real/rig.ts';
import type { Round, Target } from './plan.ts';
import { begunWords } from './work.ts';

/** The pid of that process of the builder, if it lives. */
export function pidOf({ layout }: BuilderRig, target: Target): number | undefined {
  const name = { daemon: 'daemon', vm: 'qemu', network: 'gvproxy' }[target];
  return readLive({ plain: layout.pid(name), record: layout.pidRecord(name) })?.pid;
}

/** Resolves when the round's phase has begun, and there is somebody to hit. */
export async function phaseBegins(
  rig: BuilderRig,
  { phase, target, number }: Round,
  build: Command | undefined,
): Promise<void> {
  if (phase === 'starting') await fact(`a ${target}`, () => pidOf(rig, target));
  else if (phase !== 'building') await rig.reaches(phase);
  else
    await fact('the guest builds', () => build?.said.includes(begunWords('work', number)) ?? false);
}

export interface Blow {
  /** The phase in which the daemon was when it fell. */
  readonly phase: string;
  readonly pid: number;
  /** Lets a frozen process go on; no error if it is gone. */
  readonly thaw: () => void;
}

/** Deals the blow; undefined when there was nobody to hit, or nothing that would be disturbed. A stop has disturbed it already. */
export async function strike(
  rig: BuilderRig,
  { target, deed, afterMs, phase: planned }: Round,
  build: Command,
): Promise<Blow | undefined> {
  await pause(afterMs);
  const pid = pidOf(rig, target);
  if (pid === undefined || (build.end !== undefined && planned !== 'stopping')) return undefined;
  const status = rig.status()?.phase ?? planned;
  send(pid, deed.kind === 'kill' ? 'SIGKILL' : 'SIGSTOP');
  return {
    pid,
    phase: status === 'ready' && planned === 'building' ? 'building' : status,
    thaw: () => send(pid, 'SIGCONT'),
  };
}

function send(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It ended in between.
  }
}
