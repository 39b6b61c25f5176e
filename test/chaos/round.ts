/** One round: a builder is started, a build begins, something is broken in the midst of it; then everything must be well again. */
import { setTimeout as pause } from 'node:timers/promises';
import { fact, type Command } from '../real/command.ts';
import type { BuilderRig } from '../real/rig.ts';
import { Census } from './census.ts';
import { isWellAgain, type Scene } from './aftermath.ts';
import { diskMark } from './disk-mark.ts';
import type { Judge } from './judge.ts';
import type { Round } from './plan.ts';
import { takeAway } from './shortage.ts';
import { phaseBegins, strike } from './strike.ts';
import type { Blow, Outcome, Violation } from './tally.ts';
import { Violated } from './violated.ts';
import { beginPart, beginWork } from './work.ts';

/** Plays a round on a stopped builder, and leaves it stopped if all was well. */
export async function play(rig: BuilderRig, round: Round): Promise<Outcome> {
  using census = new Census(rig);
  const violations: Violation[] = [];
  let blow: Blow = { kind: 'miss', why: 'something was wrong before' };
  try {
    const formatted = diskMark(rig.layout.disk);
    const scene = await setUp(rig, round, census.judge).catch((error: unknown) => {
      throw error instanceof Violated ? error : new Violated('undisturbed', String(error));
    });
    const mark = formatted ?? (isBooted(round) ? diskMark(rig.layout.disk) : undefined);
    await pause(round.afterMs);
    const relief = round.shortage && takeAway[round.shortage.of](rig);
    try {
      const struck = await strike(rig, round, scene.build);
      blow = struck.blow;
      await struck.over();
      await pause(round.shortage?.ms);
    } finally {
      relief?.();
    }
    await isWellAgain(rig, round, scene);
    isSameDisk(mark, diskMark(rig.layout.disk));
    if (!census.judge.sawVm) throw new Error('The census never saw the VM: it is blind.');
  } catch (error) {
    if (!(error instanceof Violated)) throw error;
    violations.push({ check: error.check, what: error.message });
  }
  const seen = census.judge.verdict;
  if (seen !== undefined && !violations.some(({ check }) => check === seen.check))
    violations.push(seen);
  return { round, blow, violations };
}

/** A guest has been ready by the time of the blow: until then the first one may still be formatting. */
const isBooted = ({ phase }: Round): boolean => phase !== 'starting' && phase !== 'booting';

/** before: unknown when it was not formatted before the blow. */
function isSameDisk(before: string | undefined, after: string | undefined): void {
  if (after === undefined || (before ?? after) !== after)
    throw new Violated(
      'same-disk',
      `the file system was ${before ?? 'none'}, and is ${after ?? 'none'}`,
    );
}

async function setUp(rig: BuilderRig, round: Round, judge: Judge): Promise<Scene> {
  const { phase, number } = round;
  const daemon = rig.begin('daemon');
  // Until then the door would refuse the build.
  await fact('the door listens', () => rig.status()?.door !== undefined && isOf(rig, daemon));
  if (isBooted(round)) await rig.reaches('ready');
  if (phase === 'building') await buildPart(rig, number);
  const build = beginWork(rig, number);
  if (phase === 'stopping') await phaseBegins(rig, { ...round, phase: 'building' }, build);
  const stop = phase === 'stopping' ? rig.begin('stop', '--now') : undefined;
  await phaseBegins(rig, round, build);
  return { build, stop, judge };
}

/**
 * Something that was built a moment ago and is valid: what a guest that is killed loses most easily. Whoever is the last to close
 * Nix's database has it written to the disk.
 */
async function buildPart(rig: BuilderRig, number: number): Promise<void> {
  const build = beginPart(rig, number);
  await build.ended;
  const { stdout } = await rig.cli('ssh', '--root', '--', 'nix path-info --all');
  if (build.end !== 0 || !stdout.includes(build.stdout.trim()))
    throw new Violated('undisturbed', `a build that nothing disturbed: ${build.said}`);
}

/** The record is this daemon's, and not what an earlier one left. */
const isOf = (rig: BuilderRig, daemon: Command): boolean => rig.status()?.daemon.pid === daemon.pid;
