/**
 * Chooses how guest code is run, by trial: a device that is there proves nothing (/dev/kvm may open, create a VM and still
 * run no kernel; hvf aborts on some combinations of QEMU, macOS and CPU). A verdict holds for one boot of the host and one build of
 * the program; that an accelerator works, also only for that kernel, memory and processor.
 */
import { vmPrograms, waysOf } from '../domain/vm-programs.ts';
import type { Clock } from '../system/time/clock.ts';
import { Exit, Failed, type Failure } from '../system/failure.ts';
import { versionOf } from '../system/files/stamp.ts';
import {
  firstFit,
  readVerdicts,
  remediesOf,
  describeRejection,
  tryAgain,
  verdictOn,
  Verdicts,
  type Lesson,
  type Rejection,
  type Verdict,
} from '../domain/verdicts.ts';
import { tryAccelerator } from './qemu/trial.ts';
import type { Accelerator, PlanInput } from './vm-driver.ts';
import { kvmObstacle } from './kvm-device.ts';
import { trialPlan } from './qemu/qemu-argv.ts';
import { advice, asSentence, joinTexts, ours, type Text } from '../system/advice.ts';

/** The way that a guest is run in, and why it is not a better one. */
interface Choice {
  readonly accelerator: Accelerator;
  /** A sentence for each better one that is not used, with what mends that. */
  readonly rejected: readonly Text[];
  /** False when the verdict was remembered, or none was needed. */
  readonly tried: boolean;
}

interface Input extends Pick<PlanInput, 'config' | 'program' | 'bundle' | 'layout' | 'abilities'> {
  /** KVM's device; default /dev/kvm. */
  readonly kvm?: string;
  /** By default those that are written. */
  readonly verdicts?: Verdicts | undefined;
}

/** The ways that a guest of this config can be run in: the processor helps only with its own code. tcg needs no trial. */
const waysFor = ({ system }: Input['config']): readonly Accelerator[] =>
  waysOf(vmPrograms.qemu, { platform: process.platform, arch: process.arch, system });

/** The forced accelerator, the remembered one, or the first that a trial shows to work. */
export async function chooseAccelerator(
  input: Input,
  clock: Clock,
  signal: AbortSignal,
): Promise<Choice> {
  const { config, layout, program, kvm, verdicts = new Verdicts(layout.verdicts) } = input;
  if (config.accelerator !== 'auto') return forced(config.accelerator, kvm);
  const found = new Map<Accelerator, Verdict>();
  let tried = false;
  for (;;) {
    const known = verdicts.all();
    const verdict = (way: Accelerator) => found.get(way) ?? knownOf(way, input, known);
    const { fit, rejected } = firstFit(waysFor(config), verdict);
    const sentences = rejected.map(describeRejection);
    if (fit === undefined) throw new Failed(runsNothing(program, rejected));
    if (fit === 'tcg' || verdict(fit) !== undefined)
      return { accelerator: fit, rejected: sentences, tried };
    const obstacle = await tryAccelerator({ ...input, accelerator: fit }, clock, signal);
    tried = true;
    const made = verdictOfTrial(fit, obstacle, input, clock.now());
    found.set(fit, made);
    if (obstacle?.isPassing !== true) verdicts.keep(made);
  }
}

/** That it works is known of this kernel and command line alone; that it does not, of the program whatever it is asked for. */
function verdictOfTrial(
  way: Accelerator,
  obstacle: Awaited<ReturnType<typeof tryAccelerator>>,
  input: Input,
  nowMs: number,
): Verdict {
  const basis = obstacle === undefined ? worksBasis(way, input) : versionOf(input.program);
  const at = new Date(nowMs).toISOString();
  return { subject: 'accelerator', way, basis, at, ...obstacle };
}

function forced(accelerator: Accelerator, kvm?: string): Choice {
  const obstacle = accelerator === 'kvm' ? kvmObstacle(kvm) : undefined;
  if (obstacle === undefined) return { accelerator, rejected: [], tried: false };
  const { why, remedy } = obstacle;
  throw new Failed({
    kind: 'accelerator-unusable',
    message: `Cannot run the guest with kvm, as configured: ${why}.`,
    hint: remedy === undefined ? chooseItself : advice`${remedy} ${chooseItself}`,
    exit: Exit.unavailable,
    recovery: 'give-up',
    deaf: 'dead',
  });
}

/** What is held against a way, or for it; undefined where only a trial can tell. */
const knownOf = (way: Accelerator, input: Input, known: readonly Verdict[]): Verdict | undefined =>
  againstAccelerator(way, versionOf(input.program), input.kvm, known) ??
  verdictOn({ subject: 'accelerator', way, basis: worksBasis(way, input) }, known);

/** What is held against a way with that build of a program. KVM's device is looked at each time: whoever is let in need not clear anything. */
export function againstAccelerator(
  way: Accelerator,
  basis: string,
  kvm: string | undefined,
  known: readonly Verdict[],
): Verdict | undefined {
  const same = { subject: 'accelerator', way, basis } as const;
  const obstacle = way === 'kvm' ? kvmObstacle(kvm) : undefined;
  return obstacle === undefined ? verdictOn(same, known) : { ...same, at: '', ...obstacle };
}

/** A trial's whole command line and what lies behind its words: whatever of it changes, it is made again. */
const worksBasis = (accelerator: Accelerator, input: Input): string =>
  [
    versionOf(input.program),
    versionOf(input.bundle.kernel),
    ...trialPlan({ ...input, accelerator }).argv,
  ].join(' ');

/** What a start would take, without a trial: as asked for, as is known, else the first that a trial would try. */
export function likelyAccelerator(
  input: Pick<Input, 'config' | 'layout' | 'program' | 'kvm'>,
): Accelerator {
  const { config, layout, program, kvm } = input;
  if (config.accelerator !== 'auto') return config.accelerator;
  const known = readVerdicts(layout.verdicts);
  const basis = versionOf(program);
  const { fit } = firstFit(waysFor(config), (way) => againstAccelerator(way, basis, kvm, known));
  return fit ?? 'tcg';
}

/** Which way a VM was run in, by which program. */
export interface Used {
  readonly accelerator: Accelerator;
  readonly program: string;
}

/**
 * What an end teaches: a way that passed its trial and broke later is not taken again in this boot of the host, and the same start goes
 * on with the next one (`accelerator-rejected`). A way that was chosen by hand is not changed, and not tried again either.
 */
export function acceleratorLesson(
  failure: Failure,
  used: Used | undefined,
  { config, at }: Pick<PlanInput, 'config'> & Pick<Verdict, 'at'>,
): Lesson {
  if (failure.kind !== 'accelerator-broken' || used === undefined) return { failure };
  if (config.accelerator !== 'auto') return { failure: unusable(failure) };
  const { accelerator: way, program } = used;
  const all = waysFor(config);
  const next = all[all.indexOf(way) + 1];
  if (next === undefined) return { failure };
  const basis = versionOf(program);
  return {
    failure: passedOver(failure, way, next),
    verdict: { subject: 'accelerator', way, basis, at, why: failure.message },
  };
}

const unusable = (failure: Failure): Failure => ({
  ...failure,
  kind: 'accelerator-unusable',
  hint: chooseItself,
  recovery: 'give-up',
});

const passedOver = (failure: Failure, way: Accelerator, next: Accelerator): Failure => ({
  ...failure,
  kind: 'accelerator-rejected',
  message: `${way} failed to run the guest, so this start continues with ${next}. ${failure.message}`,
  hint: tryAgain,
  recovery: 'other-way',
});

const chooseItself = advice`Choose automatically: ${ours('configure', '--accelerator auto')}`;

const seeOutput = advice`See its output: ${ours('logs')}. If that does not say why, install another QEMU.`;

const runsNothing = (program: string, rejected: readonly Rejection[]): Failure => ({
  kind: 'no-accelerator',
  vmFault: 'lasts',
  message: `${program} cannot run the guest with any accelerator: ${rejected.map(({ way, why }) => `${way}: ${asSentence(why)}`).join(' ')}`,
  hint: joinTexts([...new Set(rejected.flatMap(remediesOf)), seeOutput], ' '),
  exit: Exit.unavailable,
  recovery: 'give-up',
});
