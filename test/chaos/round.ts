/** One round: a builder is started, a build begins, something is broken in the midst of it; then everything must be well again. */
import { setTimeout as pause } from 'node:timers/promises';
import { fact, type Command } from '../real/command.ts';
import type { BuilderRig } from '../real/rig.ts';
import { Census } from './census.ts';
import { isWellAgain, Violated, type Scene } from './aftermath.ts';
import { diskMark } from './disk-mark.ts';
import type { Round } from './plan.ts';
import { takeAway } from './shortage.ts';
import { phaseBegins, strike, type Blow } from './strike.ts';
import type { Outcome, Violation } from './tally.ts';
import { beginPart, beginWork } from './work.ts';

/** Plays a round on a stopped builder, and leaves it stopped if all was well. */
export async function play(rig: BuilderRig, round: Round): Promise<Outcome> {
  using census = new Census(rig.layout.disk);
  const violations: Violation[] = [];
  let blow: Blow | undefined;
  try {
    const before = diskMark(rig.layout.disk);
    const scene = await setUp(rig, round).catch((error: unknown) => {
      throw error instanceof Violated ? error : new Violated('undisturbed', String(error));
    });
    const relief = round.shortage === undefined ? undefined : takeAway[round.shortage](rig);
    try {
      blow = await strike(rig, round, scene.build);
      if (blow !== undefined) await whileFrozen(rig, round, blow);
    } finally {
      relief?.();
    }
    await isWellAgain(rig, round, scene);
    if (diskMark(rig.layout.disk) !== before && before !== undefined)
      throw new Violated('same-disk', `the file system is no longer ${before}`);
  } catch (error) {
    if (!(error instanceof Violated)) throw error;
    violations.push({ check: error.check, what: error.message });
  }
  if (census.most > 1)
    violations.push({ check: 'one-vm', what: `${census.most} VMs had the disk open at once` });
  return { round, struck: blow?.phase, violations };
}

async function setUp(rig: BuilderRig, round: Round): Promise<Scene> {
  const { phase, number } = round;
  const daemon = rig.begin('daemon');
  // Until then the door would refuse the build.
  await fact('the door listens', () => rig.status()?.door !== undefined && isOf(rig, daemon));
  if (phase !== 'starting' && phase !== 'booting') await rig.reaches('ready');
  if (phase === 'building') await buildPart(rig, number);
  const build = beginWork(rig, number);
  if (phase === 'stopping') await phaseBegins(rig, { ...round, phase: 'building' }, build);
  const stop = phase === 'stopping' ? rig.begin('stop', '--now') : undefined;
  await phaseBegins(rig, round, build);
  return { build, stop };
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

/** Nobody takes the place of a daemon that is frozen, however long. */
async function whileFrozen(rig: BuilderRig, { target, deed }: Round, blow: Blow): Promise<void> {
  if (deed.kind !== 'freeze') return;
  try {
    if (target === 'daemon') await isAlone(rig);
    await pause(deed.ms);
  } finally {
    blow.thaw();
  }
}

async function isAlone(rig: BuilderRig): Promise<void> {
  const started = () => rig.log('daemon-started').length;
  const before = started();
  const second = rig.begin('daemon');
  await fact('a second daemon has decided', () => second.end !== undefined || started() > before);
  if (second.end !== 75)
    throw new Violated('one-daemon', 'a second daemon started while the first was only frozen');
}
