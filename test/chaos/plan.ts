/** What each round of a run does, drawn from a seed. Pure: the same seed gives the same rounds. */
import { Chance } from './random.ts';

/** When a blow falls. `building`: a build has begun in the guest; in all the others but `stopping` it is on its way. */
export const phases = ['starting', 'booting', 'ready', 'building', 'stopping'] as const;
export type StruckPhase = (typeof phases)[number];

/** Whom it hits. */
export const targets = ['daemon', 'vm', 'network'] as const;
export type Target = (typeof targets)[number];

/** SIGKILL, or SIGSTOP for a while; `for-good` leaves it to the daemon to find out. */
export type Deed =
  | { readonly kind: 'kill' }
  | { readonly kind: 'freeze'; readonly ms: number }
  | { readonly kind: 'freeze-for-good' };

/** What there is nothing of while it happens: room on the host's disk, or file descriptors for the daemon. */
export type Shortage = 'disk' | 'descriptors';

export interface Round {
  readonly number: number;
  readonly network: 'user' | 'gvproxy';
  readonly phase: StruckPhase;
  readonly target: Target;
  readonly deed: Deed;
  /** How long after the phase was seen to begin. */
  readonly afterMs: number;
  readonly shortage?: Shortage;
  /** The pid in the dead daemon's files is a stranger's by the time of the next start. */
  readonly reusedPid: boolean;
}

/** The rounds of a seed, without end. Each phase meets each target once before any pair comes again. */
export function* rounds(
  seed: number,
  { canFillDisk }: { readonly canFillDisk: boolean },
): Generator<Round, never> {
  const chance = new Chance(seed);
  const pairs = phases.flatMap((phase) => targets.map((target) => ({ phase, target })));
  for (let number = 1; ;)
    for (const pair of chance.shuffle(pairs)) yield draw(number++, pair, chance, canFillDisk);
}

function draw(
  number: number,
  { phase, target }: Pick<Round, 'phase' | 'target'>,
  chance: Chance,
  canFillDisk: boolean,
): Round {
  // Everything is drawn for each round, so that what is left out changes nothing in the rounds after it.
  const network = chance.pick('user', 'gvproxy');
  const deed = drawDeed({ phase, target }, chance);
  const afterMs = chance.below(longestMs[phase]);
  const drawn = chance.percent(30) ? chance.pick('disk', 'descriptors') : undefined;
  const reusedPid = chance.percent(50);
  const shortage = drawn === 'disk' && !canFillDisk ? undefined : drawn;
  return {
    ...{ number, phase, target, deed, afterMs, reusedPid },
    network: target === 'network' ? 'gvproxy' : network,
    ...(shortage === undefined ? {} : { shortage }),
  };
}

/** A guest that is not ready is given 180 s, which is too long here: only later is one left frozen. */
function drawDeed({ phase, target }: Pick<Round, 'phase' | 'target'>, chance: Chance): Deed {
  const [isFreeze, isForGood, ms] = [
    chance.percent(40),
    chance.percent(30),
    500 + chance.below(4_500),
  ];
  if (!isFreeze) return { kind: 'kill' };
  const canStay = target === 'vm' && (phase === 'ready' || phase === 'building');
  return isForGood && canStay ? { kind: 'freeze-for-good' } : { kind: 'freeze', ms };
}

/** A boot takes some five seconds without acceleration; a start half of one, a build four. */
const longestMs: Readonly<Record<StruckPhase, number>> = {
  starting: 250,
  booting: 3_500,
  ready: 1_200,
  building: 2_500,
  stopping: 400,
};

/** The round in a line. */
export function describe({ number, network, phase, target, deed, ...more }: Round): string {
  const how = deed.kind === 'freeze' ? `freeze for ${deed.ms} ms` : deed.kind.replaceAll('-', ' ');
  return [
    `round ${number}: ${how}: the ${target}, ${more.afterMs} ms into ${phase}`,
    `network ${network}`,
    ...(more.shortage === undefined ? [] : [`no ${wordFor[more.shortage]}`]),
    ...(more.reusedPid ? ["the daemon's pid is a stranger's later"] : []),
  ].join(', ');
}

const wordFor: Readonly<Record<Shortage, string>> = {
  disk: 'room on the disk',
  descriptors: 'file descriptor for the daemon',
};
