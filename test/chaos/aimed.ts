/** Builds that arrive in a step of a suspend or of a resume that was aimed at: none may fail for it. */
import { setTimeout as pause } from 'node:timers/promises';
import { fact } from '../real/command.ts';
import type { BuilderRig, LogLine } from '../real/rig.ts';
import type { Came } from './arrivals.ts';
import type { HostDaemon } from './host-daemon.ts';
import { Chance } from './random.ts';
import type { Relay } from './relay.ts';
import { begins, resumeSteps, suspendSteps } from './suspends.ts';
import type { WatchedLog } from './watched-log.ts';

/** Builds: the first comes as the step begins, the others somewhat later; in a resume the first is who wakes the guest. */
export interface Aim {
  readonly step: string;
  /** Of each but the first, after the step's line was seen. */
  readonly afterMs: readonly number[];
}

/** As many rounds of two builds as have so many come in each step, where the step lasts; all steps in turn. */
export function aims(seed: number, each: number): readonly Aim[] {
  const chance = new Chance(seed);
  const rounds: Aim[] = [];
  for (let n = 0; n < each; n++)
    for (const step of chance.shuffle([...suspendSteps, ...resumeSteps])) {
      const afterMs = [chance.below(40)];
      // Whoever wakes the guest comes in the absence; in the steps of a suspend two come at once.
      const isNeeded = step === 'phase.away' ? false : isOfResume(step) || n % 2 === 0;
      if (isNeeded) rounds.push({ step, afterMs });
    }
  return rounds;
}

/** The daemon takes it without looking at its door in between, so that nobody can come in it. */
const momentary = 'suspend-step.frozen';

/**
 * The step of a suspend to aim at next, since some last only milliseconds and were missed: of those with fewer than `each` builds and
 * fewer than `2 * each` rounds of this kind, the one with the fewest builds. Four builds, a millisecond apart.
 */
export function nextAim(
  came: readonly Came[],
  again: readonly Aim[],
  each: number,
): Aim | undefined {
  const count = (step: string) => came.filter((one) => one.step === step).length;
  const [step] = suspendSteps
    .filter((name) => name !== momentary && count(name) < each)
    .filter((name) => again.filter((aim) => aim.step === name).length < 2 * each)
    .sort((a, b) => count(a) - count(b));
  return step === undefined ? undefined : { step, afterMs: [1, 2, 3] };
}

const isOfResume = (step: string): boolean => resumeSteps.some((each) => each === step);

export interface Builder {
  readonly rig: BuilderRig;
  readonly log: WatchedLog;
  readonly host: HostDaemon;
  readonly relay: Relay;
}

/** Plays one; all its builds. */
export async function playAim(
  { rig, log, host, relay }: Builder,
  { step, afterMs }: Aim,
  name: string,
): Promise<readonly Came[]> {
  const isResume = isOfResume(step);
  await rig.cli(isResume ? 'suspend' : 'resume');
  const begun = await rig.reaches(isResume ? 'away' : 'ready');
  if (isResume && begun.away?.guest !== 'suspended') throw new Error('the guest is no file');
  const before = log.length;
  const from = performance.now();
  const builds = [0, ...afterMs].map((_, n) => host.build(`${name}-${n + 1}`));
  await fact('all builds are on their way', () => {
    const over = builds.find(({ end }) => end !== undefined);
    if (over !== undefined) throw new Error(`it did not come to the door: ${over.said}`);
    return relay.waiting === builds.length;
  });
  const at: number[] = [];
  const trigger = isResume ? undefined : rig.begin('suspend');
  if (isResume) at.push(await relay.release());
  const line = await log.until(`the step ${step}`, (each) => begins(step, each), before);
  if (!isResume) at.push(await relay.release());
  for (const after of afterMs) {
    await pause(Math.max(0, Date.parse(line.time) + after - Date.now()));
    at.push(await relay.release());
  }
  const ends = await Promise.all(builds.map(({ ended }) => ended));
  const tookMs = performance.now() - from;
  await trigger?.ended;
  // The next one begins from a guest that has settled.
  await fact('the guest is there, or away', () =>
    ['ready', 'away'].includes(rig.status()?.phase ?? ''),
  );
  log.read();
  return at.map((when, n) => ({ step: stepOf(log.lines, when), end: ends[n] ?? '', tookMs }));
}

/** The step that the daemon was in at that time, by the lines of its log. */
export function stepOf(lines: readonly LogLine[], at: number): string {
  const steps = [...suspendSteps, ...resumeSteps, ...elsewhere];
  const passed = lines
    .filter(({ time }) => Date.parse(time) <= at)
    .flatMap((line) => steps.find((step) => begins(step, line)) ?? []);
  const last = passed.at(-1) ?? 'phase.stopped';
  // What is left of its start ends; the guest is a file already.
  return last === 'phase.stopping' && passed.at(-2) === 'guest-saved' ? 'guest-saved' : last;
}

const elsewhere = ['phase.ready', 'phase.stopping', 'phase.booting', 'phase.paused'] as const;
