/** Which VM program runs a guest best here, from facts of the host: every way that can be had, best first, and why the others cannot. Pure. */
import { nativeSystem, type System } from '../domain/guest-system.ts';
import {
  homeOf,
  linkTo,
  networksOf,
  vmPrograms,
  type Accelerator,
  type HostKind,
  type NetworkName,
  type VmProgram,
} from '../domain/vm-programs.ts';

/** What of a host and a builder decides the order. */
export interface RankFacts {
  readonly host: HostKind;
  /** `15.2`; absent where it is not known, or no macOS. */
  readonly macos?: string | undefined;
  readonly system: System;
  readonly cpus: number;
  /** What the configuration asks for. */
  readonly network: NetworkName | 'auto';
  readonly accelerator: Accelerator | 'auto';
  /** The VM programs that are installed. */
  readonly installed: readonly string[];
  /** Of those, the ones that would refuse this builder: why, in half a sentence. Absent: they were not asked. */
  readonly refused?: Refused | undefined;
  /** The network programs that are installed. */
  readonly networks: readonly string[];
  /** The program that this builder's guest was run by last. */
  readonly kept?: string | undefined;
  /** Better ones that could not run it before, and that are, or the system is, another build since. */
  readonly changed?: readonly string[] | undefined;
}

/** From a program's name to why it would not run the guest. */
export type Refused = Readonly<Record<string, string>>;

/** One way: a program and how it runs the guest's code. */
export interface VmWay {
  readonly vm: string;
  readonly accelerator: Accelerator;
  /** Half a sentence: why it stands where it stands. */
  readonly why: string;
}

/** What can be had, and what cannot. */
export interface VmPlan {
  /** Best first. */
  readonly ways: readonly VmWay[];
  /** A sentence for each program that cannot be had. */
  readonly without: readonly { readonly vm: string; readonly why: string }[];
}

type Rows = Readonly<Record<string, VmProgram>>;

const speed = 'runs the guest directly on the CPU';

/** Best first, for the kinds of hosts; a program that is not named here comes behind those of its kind. */
const preference: readonly (Omit<VmWay, 'why'> & {
  readonly on?: HostKind;
  readonly why: string;
})[] = [
  {
    vm: 'vfkit',
    accelerator: 'hvf',
    on: 'darwin-arm64',
    why: `${speed}, with Apple's Virtualization.framework`,
  },
  { vm: 'qemu', accelerator: 'hvf', why: `${speed}, and pauses it when the disk is full` },
  { vm: 'hyperkit', accelerator: 'hvf', why: speed },
  {
    vm: 'vfkit',
    accelerator: 'hvf',
    on: 'darwin-x64',
    why: `${speed}; its console is untested on Intel Macs`,
  },
  { vm: 'qemu', accelerator: 'kvm', why: speed },
  { vm: 'qemu', accelerator: 'tcg', why: 'emulates the CPU, about ten times slower' },
];

/** Ways by the processor come before those by software alone. Pure. */
export function rankVms(facts: RankFacts, rows: Rows = vmPrograms): VmPlan {
  const obstacles = new Map(
    Object.entries(rows).flatMap(([vm, row]) => {
      const why = obstacleOf(vm, row, facts);
      return why === undefined ? [] : [[vm, why] as const];
    }),
  );
  const known = preference.filter(({ on }) => on === undefined || on === facts.host);
  const others = Object.entries(rows).flatMap(([vm, { accelerators }]) =>
    accelerators
      .filter((way) => !preference.some((each) => each.vm === vm && each.accelerator === way))
      .map((accelerator) => ({ vm, accelerator, why: 'can run the guest' })),
  );
  const [hardware, software] = [
    [...known, ...others],
    [...known, ...others],
  ].map((all, n) => all.filter(({ accelerator }) => (accelerator === 'tcg') === (n === 1)));
  const all = [...(hardware ?? []), ...(software ?? [])].filter(
    ({ vm, accelerator }) =>
      rows[vm] !== undefined && !obstacles.has(vm) && isPossible(accelerator, facts),
  );
  return {
    ways: keptFirst(all, facts).map(({ vm, accelerator, why }) => ({ vm, accelerator, why })),
    without: [...obstacles].map(([vm, why]) => ({ vm, why })),
  };
}

/** The processor helps only with its own code, on the platform that has the way; and who asks for one way gets no other. */
function isPossible(way: Accelerator, { host, system, accelerator }: RankFacts): boolean {
  const [platform, arch = ''] = host.split('-');
  if (accelerator !== 'auto' && accelerator !== way) return false;
  return way === 'tcg' || (homeOf[way] === platform && nativeSystem(arch) === system);
}

/**
 * A builder stays with its program; but software alone is no reason to stay, and a better one that failed before is tried once more when
 * it is another build.
 */
function keptFirst(ways: readonly VmWay[], { kept, changed = [] }: RankFacts): readonly VmWay[] {
  const isKept = ({ vm, accelerator }: VmWay) => vm === kept && accelerator !== 'tcg';
  const first = ways.findIndex(isKept);
  if (first < 0) return ways;
  const again = ways
    .slice(0, first)
    .filter(({ vm }) => changed.includes(vm))
    .map((way) => ({
      ...way,
      why: `is a different build from the one that failed; it ${way.why}`,
    }));
  const stays = ways
    .filter(isKept)
    .map((way) => ({ ...way, why: `already runs this builder's guest; it ${way.why}` }));
  const rest = ways.filter((way, n) => !isKept(way) && !(n < first && changed.includes(way.vm)));
  return [...again, ...stays, ...rest];
}

/** Why a program cannot be had here, in half a sentence; undefined where it can. */
function obstacleOf(vm: string, row: VmProgram, facts: RankFacts): string | undefined {
  const { host, macos, system, cpus, network, installed, networks, refused = {} } = facts;
  const arch = host.split('-')[1] ?? '';
  if (!row.hosts.includes(host)) return `does not support ${hostWords[host]}`;
  if (!installed.includes(vm)) return 'is not installed';
  if (row.leastMacos !== undefined && macos !== undefined && isBefore(macos, row.leastMacos))
    return `needs macOS ${row.leastMacos} or newer; this is ${macos}`;
  if (row.guests === 'native' && system !== nativeSystem(arch)) return `cannot run ${system} here`;
  if (row.maxCpus !== undefined && cpus > row.maxCpus)
    return `supports at most ${row.maxCpus} CPUs`;
  if (network !== 'auto' && linkTo(row, network) === undefined)
    return `does not support the network ${network}`;
  if (refused[vm] !== undefined) return refused[vm];
  const wanted = network === 'auto' ? networksOf(row) : [network];
  if (wanted.some((name) => name === 'user' || networks.includes(name))) return undefined;
  return `needs ${wanted.join(' or ')}, which is not installed`;
}

const hostWords: Readonly<Record<HostKind, string>> = {
  'darwin-arm64': 'Apple silicon',
  'darwin-x64': 'Intel Macs',
  'linux-arm64': 'Linux on arm64',
  'linux-x64': 'Linux on x86_64',
};

function isBefore(version: string, least: string): boolean {
  const [a, b] = [version, least].map((text) => text.split('.').map(Number));
  for (const [n, number] of (b ?? []).entries()) {
    const difference = (a?.[n] ?? 0) - number;
    if (difference !== 0) return difference < 0;
  }
  return false;
}
