/** What each round of a run does, drawn from a seed. Pure: the same seed gives the same rounds. */
import { Chance } from './random.ts';

/** When a kill falls. `building`: the build has begun in the guest; in all the others but `stopping` it is on its way. */
export const phases = ['starting', 'booting', 'ready', 'building', 'stopping'] as const;
export type StruckPhase = (typeof phases)[number];

/** Whom it hits. */
export const targets = ['daemon', 'vm', 'network'] as const;
export type Target = (typeof targets)[number];

const networks = ['user', 'gvproxy'] as const;

/** Which program runs the guest: QEMU itself, or a stand-in for one of a Mac. Each round has another than the one before, on the same disk. */
export const vms = ['qemu', 'vfkit', 'hyperkit'] as const;
export type VmProgramName = (typeof vms)[number];

/** Whom SIGSTOP halts: the target, some time before it is killed, or another, just before and for some time after. */
export interface Freeze {
  readonly whom: Target;
  /** Without it, for good: who ends it is the daemon, or the next start. */
  readonly ms?: number;
}

/** What there is nothing of from just before the kill until some time after: room on the host's disk, file descriptors for the daemon. */
export interface Shortage {
  readonly of: 'disk' | 'descriptors';
  readonly ms: number;
}

export interface Plan {
  readonly vm: VmProgramName;
  readonly network: (typeof networks)[number];
  readonly phase: StruckPhase;
  readonly target: Target;
  /** How long after the phase was seen to begin. */
  readonly afterMs: number;
  readonly freeze?: Freeze;
  readonly shortage?: Shortage;
  /** The pid in the dead daemon's files is a stranger's by the time of the next start. */
  readonly reusedPid: boolean;
  /** The next daemon is killed too, so long after it began: it may still be ending what the first one left. */
  readonly relapseMs?: number;
  /** Behind a killed daemon another program is chosen, while the guest may still run in the first one. */
  readonly next?: Pick<Plan, 'vm' | 'network'>;
}

/** A plan that is played; the number is in the names of what it builds. */
export interface Round extends Plan {
  readonly number: number;
}

/** A target that is frozen for good is left to the daemon to find out and to kill. */
export const isLeftToDaemon = ({ target, freeze }: Plan): boolean =>
  freeze?.whom === target && freeze.ms === undefined;

/** The same, with the blow in half the time: for one that came too late. */
export const sooner = (plan: Plan): Plan => ({ ...plan, afterMs: Math.floor(plan.afterMs / 2) });

/**
 * The plans of a seed, without end. Phases, targets and networks go round, each at its own pace: five in a row have all phases and
 * targets, and in sixty each phase meets each target on each network. Every other round is QEMU's, the rest the stand-ins' in turn.
 */
export function* plans(
  seed: number,
  { canFillDisk, only }: { readonly canFillDisk: boolean; readonly only?: VmProgramName },
): Generator<Plan, never> {
  const chance = new Chance(seed);
  const phase = inTurn(chance.shuffle(phases));
  const target = inTurn(chance.shuffle(targets));
  const network = inTurn(chance.shuffle(networks));
  const vm = inTurn<VmProgramName>(['qemu', 'vfkit', 'qemu', 'hyperkit']);
  const other = inTurn<VmProgramName>(['hyperkit', 'qemu', 'vfkit', 'qemu']);
  for (;;) {
    const step = { phase: phase.next().value, target: target.next().value };
    const turn = vm.next().value;
    const program = only ?? turn;
    // The network goes on where it is QEMU's turn: the others have gvproxy alone.
    const link = program === 'qemu' ? network.next().value : 'gvproxy';
    const plan = draw({ ...step, vm: program, network: link }, chance, canFillDisk);
    const next = other.next().value;
    const isNext = only === undefined && chance.percent(50) && step.target === 'daemon';
    yield isNext ? { ...plan, next: { vm: next, network: 'gvproxy' } } : plan;
  }
}

function* inTurn<T>(these: readonly T[]): Generator<T, never> {
  for (;;) yield* these;
}

type Step = Pick<Plan, 'vm' | 'phase' | 'target' | 'network'>;

function draw({ vm, phase, target, network }: Step, chance: Chance, canFillDisk: boolean): Plan {
  // QEMU's own network is no process that could be killed.
  const link = target === 'network' ? 'gvproxy' : network;
  const step = { vm, phase, target, network: link } as const;
  // Everything is drawn for each round, so that what is left out changes nothing in the rounds after it.
  const afterMs = chance.below(longestMs[phase]);
  const freeze = drawFreeze(step, chance);
  const isShort = chance.percent(30);
  const shortage: Shortage = { of: chance.pick('disk', 'descriptors'), ms: chance.below(3_000) };
  const reusedPid = chance.percent(50);
  const isRelapse = chance.percent(40) && target === 'daemon';
  const relapseMs = chance.below(4_000);
  return {
    ...step,
    afterMs,
    reusedPid,
    ...(freeze === undefined ? {} : { freeze }),
    ...(isRelapse ? { relapseMs } : {}),
    ...(isShort && (canFillDisk || shortage.of !== 'disk') ? { shortage } : {}),
  };
}

function drawFreeze(step: Step, chance: Chance): Freeze | undefined {
  const isFreeze = chance.percent(50);
  const isTarget = chance.percent(50);
  const [other = step.target] = chance.shuffle(targets.filter((one) => one !== step.target));
  const isForGood = chance.percent(50);
  const ms = 500 + chance.below(4_500);
  if (!isFreeze) return undefined;
  const whom = isTarget || (other === 'network' && step.network === 'user') ? step.target : other;
  return isForGood && canStay(whom, step) ? { whom } : { whom, ms };
}

/**
 * Nobody else lets a daemon go on. Of targets, only a guest that was ready is watched: another is given 180 s. The guest of a stand-in is a
 * process beside it, which goes on.
 */
const canStay = (whom: Target, { vm, target, phase }: Step): boolean =>
  whom === target
    ? whom === 'vm' && vm === 'qemu' && (phase === 'ready' || phase === 'building')
    : whom !== 'daemon';

/** Without acceleration a boot takes five seconds, a build four, the way to it one; a VM answers 60 ms after its start. */
const longestMs: Readonly<Record<StruckPhase, number>> = {
  starting: 30,
  booting: 3_000,
  ready: 600,
  building: 2_500,
  stopping: 150,
};

/** The round in a line. */
export function describe(round: Round): string {
  const { number, vm, network, phase, target, afterMs } = round;
  const { freeze, shortage, reusedPid, relapseMs, next } = round;
  const when = `${afterMs} ms into ${phase}`;
  const howLong = freeze?.ms === undefined ? 'for good' : `for ${freeze.ms} ms`;
  return [
    isLeftToDaemon(round)
      ? `round ${number}: freeze the ${target} for good, ${when}, which the daemon kills`
      : `round ${number}: kill the ${target}, ${when}`,
    ...(freeze === undefined || isLeftToDaemon(round)
      ? []
      : [freeze.whom === target ? `frozen ${howLong}` : `the ${freeze.whom} frozen ${howLong}`]),
    ...(vm === 'qemu' ? [] : [`run by ${vm}'s stand-in`]),
    `network ${network}`,
    ...(shortage === undefined ? [] : [`no ${wordFor[shortage.of]} until ${shortage.ms} ms after`]),
    ...(relapseMs === undefined ? [] : [`the next one, too, after ${relapseMs} ms`]),
    ...(next === undefined ? [] : [`${next.vm} is chosen after it`]),
    ...(reusedPid ? ["the daemon's pid is a stranger's later"] : []),
  ].join(', ');
}

const wordFor: Readonly<Record<Shortage['of'], string>> = {
  disk: 'room on the disk',
  descriptors: 'file descriptor for the daemon',
};
