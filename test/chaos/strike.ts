/** The kill of a round, when its moment has come. */
import { fact, type Command } from '../real/command.ts';
import type { BuilderRig } from '../real/rig.ts';
import { freeze, isFoundFrozen } from './freeze.ts';
import { isLeftToDaemon, type Round } from './plan.ts';
import { isGone, killed, pidOf } from './prey.ts';
import type { Blow, Miss } from './tally.ts';
import { begunWords } from './work.ts';

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

/** A blow that was dealt, and what goes on after it. */
export interface Struck {
  readonly blow: Blow;
  /** Resolves when nobody is frozen any more who shall not be. Throws Violated when something was wrong meanwhile. */
  readonly over: () => Promise<void>;
}

/** Kills the target, or sees the daemon do it; nothing is done when the moment has passed. */
export async function strike(rig: BuilderRig, round: Round, build: Command): Promise<Struck> {
  const { target } = round;
  const pid = pidOf(rig, target);
  const why = whyNot(rig, round, build);
  if (pid === undefined || why !== undefined)
    return {
      blow: { kind: 'miss', why: why ?? 'nobody was there' },
      over: () => Promise.resolve(),
    };
  const frozen = round.freeze === undefined ? undefined : freeze(rig, round.freeze);
  try {
    if (isLeftToDaemon(round)) await isFoundFrozen(rig, pid);
    else if (round.freeze?.whom === target) await frozen?.over();
    // What was frozen cannot have ended by itself.
    const by = isGone(rig, target, pid) ? 'the daemon' : 'us';
    if (by === 'us') await killed(rig, target, pid);
    const over = async () => {
      try {
        if (round.freeze?.whom !== target) await frozen?.over();
      } finally {
        frozen?.thaw();
      }
    };
    return { blow: { kind: 'kill', by, froze: frozen !== undefined }, over };
  } catch (error) {
    frozen?.thaw();
    throw error;
  }
}

/** Why a blow now would not be the one that was planned. A stop has disturbed the build already. */
function whyNot(rig: BuilderRig, { phase, number }: Round, build: Command): Miss | undefined {
  if (build.end !== undefined && phase !== 'stopping') return 'the build was over';
  const now = rig.status()?.phase;
  const isBuilding = now === 'ready' && build.said.includes(begunWords('work', number));
  return (isBuilding ? 'building' : now) === phase ? undefined : 'the phase was over';
}
