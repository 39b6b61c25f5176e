/** Kills in each step of a suspend and of a resume: whatever is killed, file and disk never disagree, and the next build is built. */
import { execFileSync } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { fact } from '../real/command.ts';
import type { BuilderRig, LogLine } from '../real/rig.ts';
import type { WatchedLog } from './watched-log.ts';
import { killed, pidOf, send } from './prey.ts';
import { Chance } from './random.ts';
import { beginPart } from './work.ts';

/** A step by the line of the daemon's log that begins it; what follows the dot is its `name` or `phase`. */
export const suspendSteps = [
  'phase.suspending',
  'suspend-step.settled',
  'suspend-step.frozen',
  'suspend-step.saving',
  'suspend-step.written',
  'suspend-step.vm-ended',
  'guest-saved',
  'phase.away',
] as const;
export const resumeSteps = [
  'phase.starting',
  'phase.resuming',
  'seen.vm-started',
  'seen.vm-answers',
  'seen.memory-loaded',
] as const;

const targets = ['daemon', 'vm', 'both'] as const;
/** The steps in which the VM program has ended, or is not yet begun. */
const withoutVm: readonly string[] = [
  'suspend-step.vm-ended',
  'guest-saved',
  'phase.away',
  'phase.starting',
];

export interface Kill {
  readonly step: string;
  readonly target: (typeof targets)[number];
  /** Into the step. */
  readonly afterMs: number;
}

/** So many for each step; three have all targets that are there in that step, which come in turn by the seed. */
export function kills(seed: number, each: number): readonly Kill[] {
  const chance = new Chance(seed);
  return [...suspendSteps, ...resumeSteps].flatMap((step) => {
    const inTurn = withoutVm.includes(step) ? (['daemon'] as const) : chance.shuffle(targets);
    return Array.from({ length: each }, (_, n) => ({
      step,
      target: inTurn[n % inTurn.length] ?? 'both',
      afterMs: chance.below(40),
    }));
  });
}

/** Whether a line of the log begins that step. */
export const begins = (step: string, { event, ...fields }: LogLine): boolean => {
  const [name, what] = step.split('.');
  return event === name && (what === undefined || [fields['name'], fields['phase']].includes(what));
};

/** What came of one. */
export interface Struck {
  readonly kill: Kill;
  /** Whether somebody was there to be killed: a VM process has no life in some steps. */
  readonly isHit: boolean;
  /** How the guest came back. */
  readonly back: 'resumed' | 'booted' | 'there';
  /** Empty where all was well. */
  readonly wrong: readonly string[];
}

/** Plays one on a builder whose daemon lives. */
export async function playKill(
  rig: BuilderRig,
  kill: Kill,
  { number, log }: { readonly number: number; readonly log: WatchedLog },
): Promise<Struck> {
  const isSuspend = suspendSteps.some((step) => step === kill.step);
  const wrong: string[] = [];
  await allowSuspends(rig);
  await rig.cli(isSuspend ? 'resume' : 'suspend');
  await rig.reaches(isSuspend ? 'ready' : 'away');
  if (!isSuspend && rig.status()?.away?.guest === 'suspended') wrong.push(...diskFaults(rig));
  const before = log.length;
  const command = isSuspend ? rig.begin('suspend') : beginPart(rig, number);
  const line = await log.until(`the step ${kill.step}`, (each) => begins(kill.step, each), before);
  await pause(Math.max(0, Date.parse(line.time) + kill.afterMs - Date.now()));
  const isHit = await strike(rig, kill);
  // A build whose daemon is killed has lost its door.
  await command.ended;
  if (kill.target !== 'vm') {
    const daemon = rig.begin('daemon');
    // The killed one has left a status that says where its door was.
    await fact('its door', () => {
      const status = rig.status();
      return status?.daemon.pid === daemon.pid && status.door !== undefined;
    });
  }
  const struck = log.length;
  const again = beginPart(rig, number);
  if ((await again.ended) !== 0) wrong.push(`the build after it failed: ${again.said}`);
  const store = await rig.cli('ssh', '--root', '--', 'nix-store --verify --check-contents');
  if (store.end !== 0 || /modified|disappeared|error/.test(store.said)) wrong.push(store.said);
  log.read();
  const phases = log.lines
    .slice(struck)
    .flatMap(({ event, phase }) => (event === 'phase' ? [phase] : []));
  const back = phases.includes('booting')
    ? 'booted'
    : phases.includes('resuming')
      ? 'resumed'
      : 'there';
  return { kill, isHit, back, wrong };
}

/** A VM that was killed twice while it was suspended is suspended no more, as it should be. */
async function allowSuspends(rig: BuilderRig): Promise<void> {
  const { stdout } = await rig.cli('verdicts', '--json');
  const { verdicts } = JSON.parse(stdout) as { verdicts: { works: boolean }[] };
  if (verdicts.some(({ works }) => !works)) await rig.cli('verdicts', '--clear');
}

async function strike(rig: BuilderRig, { target }: Kill): Promise<boolean> {
  const whom = (['daemon', 'vm'] as const).filter((each) => [each, 'both'].includes(target));
  const pids = whom.map((each) => [each, pidOf(rig, each)] as const);
  for (const [, pid] of pids) if (pid !== undefined) send(pid, 'SIGKILL');
  for (const [each, pid] of pids) await killed(rig, each, pid);
  return pids.some(([, pid]) => pid !== undefined);
}

/** A guest that is away as a file has left a disk that is whole. */
function diskFaults({ layout }: BuilderRig): readonly string[] {
  try {
    execFileSync('e2fsck', ['-fn', layout.disk], { stdio: 'pipe', encoding: 'utf8' });
    return [];
  } catch (error) {
    return [`the disk is not whole: ${String(error)}`];
  }
}

/** The last line of a run. */
export function killsSummary(all: readonly Struck[], seed: number): string {
  const of = (back: Struck['back']) => all.filter((each) => each.back === back).length;
  const wrong = all.filter((each) => each.wrong.length > 0).length;
  const hits = all.filter(({ isHit }) => isHit).length;
  const backs = `${of('resumed')} resumed, ${of('booted')} booted, ${of('there')} there still`;
  return `chaos: ${all.length} kills in ${new Set(all.map(({ kill }) => kill.step)).size} steps, ${hits} hit; ${backs}; ${wrong} wrong; seed ${seed}`;
}
