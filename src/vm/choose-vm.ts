/**
 * Which program runs the guest: the one that the configuration names, or, with `auto`, the first of the ranking that nothing is held
 * against.
 */
import type { Config } from '../config/config.ts';
import type { Layout } from '../config/layout.ts';
import { networkNames, vmNames } from '../domain/vm-programs.ts';
import type { Text } from '../system/advice.ts';
import { Exit, Failed, type Failure } from '../system/failure.ts';
import { supported, systemVersion } from '../system/host/host.ts';
import { managerHere, programMissing, tryProgram } from '../system/process/find-program.ts';
import type { Manager } from '../system/process/packages.ts';
import {
  bestOf,
  describeLeft,
  firstFit,
  readVerdicts,
  verdictOn,
  type Verdict,
} from '../domain/verdicts.ts';
import { againstAccelerator } from './accelerator.ts';
import type { VmDriver } from './vm-driver.ts';
import { basisOf, buildOf, driverOf, refusalHere, vmDrivers } from './vm-drivers.ts';
import { readKept } from './kept-vm.ts';
import { rankVms, type RankFacts, type Refused, type VmPlan, type VmWay } from './vm-ranking.ts';

/** The program that is taken, and why it is that one. */
export interface VmChoice {
  readonly driver: VmDriver;
  /** A sentence. */
  readonly why: string;
  /** A sentence for each better one that does not serve. */
  readonly rejected: readonly Text[];
}

/** What of the settings decides it. */
type Asked = Pick<Config, 'vm' | 'system' | 'cpus' | 'network' | 'accelerator'>;

/** Whose guest it is, and what is here to run it. */
export interface ChooseVm {
  readonly config: Asked;
  readonly layout: Layout;
  /** Default: ours. */
  readonly path?: string | undefined;
  /** KVM's device; default /dev/kvm. */
  readonly kvm?: string;
  /** Default: this one. */
  readonly host?: Pick<RankFacts, 'host' | 'macos'>;
  /** This system's build; default: what it says. */
  readonly osBuild?: string;
  /** What programs would refuse, where they were asked. */
  readonly refused?: Refused;
  /** What is held against what; by default what is written. */
  readonly known?: readonly Verdict[] | undefined;
}

/** Failed `program-missing` where none can be had. */
export function chooseVm(options: ChooseVm): VmChoice {
  const { config } = options;
  if (config.vm !== 'auto')
    return { driver: vmDrivers[config.vm], why: 'It is set in the configuration.', rejected: [] };
  const facts = factsOf(options);
  const plan = rankVms(facts);
  const best = bestOf(plan.ways, (way) => heldAgainst(way, options));
  if (best === undefined) throw new Failed(nothingHere(plan, options.config));
  const { way, rejected } = best;
  const driver = driverOf(way.vm);
  const why = `${driver.row.title} ${way.why}.`;
  const behind = plan.ways.slice(plan.ways.indexOf(way)).map(({ vm }) => vm);
  const left = leftBefore(options, facts).filter(({ vm }) => vm !== way.vm && behind.includes(vm));
  return { driver, why, rejected: [...rejected, ...left.map(describeLeft)] };
}

/** Those that this builder has left for good: another one has run the guest since, and nothing of them has changed. */
const leftBefore = ({ layout }: Pick<ChooseVm, 'layout'>, { changed = [] }: RankFacts) =>
  Object.entries(readKept(layout).failed).flatMap(([vm, { why }]) =>
    changed.includes(vm) ? [] : [{ vm, why }],
  );

/** The driver of the likely choice; where nothing can be had, QEMU's: its failure says what is missing. */
export function driverFor(options: ChooseVm): VmDriver {
  try {
    return chooseVm(options).driver;
  } catch (error) {
    if (!(error instanceof Failed)) throw error;
    return vmDrivers.qemu;
  }
}

/** What this host has, whatever the builder. */
export function programsHere({
  config,
  path = process.env['PATH'],
  host = hostHere(),
  refused,
}: Omit<ChooseVm, 'layout'>): RankFacts {
  const { system, cpus, network, accelerator } = config;
  const isHere = (name: string) => tryProgram(name, path) !== undefined;
  return {
    ...host,
    system,
    cpus,
    network,
    accelerator,
    installed: vmNames.filter((name) => isHere(vmDrivers[name].program(config))),
    refused,
    networks: networkNames.filter((name) => name !== 'user' && isHere(name)),
  };
}

/** The same, with what this builder has been through. */
export function factsOf(options: ChooseVm): RankFacts {
  const { vm, failed } = readKept(options.layout);
  return {
    ...programsHere(options),
    kept: vm,
    changed: vmNames.filter(
      (name) => failed[name] !== undefined && failed[name].build !== buildOf(name, options),
    ),
  };
}

/** This host, as the ranking knows it. Throws Failed on a system that is not supported. */
export function hostHere(): Pick<RankFacts, 'host' | 'macos'> {
  const { arch, platform } = supported(process.arch, process.platform);
  return { host: `${platform}-${arch}`, macos: systemVersion().macos };
}

/** What failed in this boot of the host, with this build of the program. */
export function heldAgainst({ vm, accelerator }: VmWay, options: ChooseVm): Verdict | undefined {
  const { layout, kvm, known = readVerdicts(layout.verdicts) } = options;
  const basis = basisOf(vm, options);
  // Where a program has one way only, nothing is tried of it that is not the program's.
  const hasChoice = driverOf(vm).row.accelerators.length > 1;
  const ofWay = hasChoice ? againstAccelerator(accelerator, basis, kvm, known) : undefined;
  return ofWay?.why === undefined ? verdictOn({ subject: 'vm', way: vm, basis }, known) : ofWay;
}

/** A better program than the one that the builder keeps, where nothing is held against it. One that failed is tried when it has changed. */
export function betterThanKept(options: ChooseVm) {
  const { kept, ...facts } = factsOf(options);
  const { failed } = readKept(options.layout);
  const row = vmNames.find((name) => name === kept);
  if (options.config.vm !== 'auto' || row === undefined) return undefined;
  const { ways } = rankVms(facts);
  const own = ways.findIndex(({ vm }) => vm === kept);
  const better = ways.slice(0, Math.max(0, own)).filter(({ vm }) => failed[vm] === undefined);
  const { fit } = firstFit(better, (way) => heldAgainst(way, options));
  if (fit === undefined) return undefined;
  const titles = { kept: driverOf(row).row.title, better: driverOf(fit.vm).row.title };
  return { ...titles, name: fit.vm, why: fit.why };
}

/** Asks the program that would be named, and when that would refuse the next one: what each of them says until one would not. */
export async function askPrograms(
  named: (refused: Refused) => string | undefined,
  here: Pick<ChooseVm, 'config' | 'layout' | 'path'>,
  signal: AbortSignal,
): Promise<Refused> {
  let refused: Refused = {};
  for (;;) {
    const vm = named(refused);
    const why = vm === undefined ? undefined : await refusalHere(vm, here, signal);
    if (vm === undefined || why === undefined) return refused;
    refused = { ...refused, [vm]: why };
  }
}

/** No program of the ranking is installed, or can serve on this host. */
export const nothingHere = (
  { without }: VmPlan,
  config: Asked,
  platform: string = process.platform,
  manager: Manager | null = managerHere() ?? null,
): Failure => ({
  kind: 'program-missing',
  vmFault: 'lasts',
  message: `No program here can run the guest: ${without.map(({ vm, why }) => `${driverOf(vm).program(config)} ${why}`).join('; ')}.`,
  hint:
    platform === 'darwin'
      ? 'Install one: brew install qemu, or on Apple silicon: brew install vfkit podman (podman contains gvproxy)'
      : programMissing(driverOf('qemu').program(config), manager, platform).hint,
  exit: Exit.unavailable,
  recovery: 'give-up',
});
