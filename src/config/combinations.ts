/** What does not go together in a config: a VM program, its network, its host, its guest. */
import type { Problem } from '../domain/problem.ts';
import { nativeSystem } from '../domain/guest-system.ts';
import {
  homeOf,
  networkNames,
  networksOf,
  vmPrograms,
  type Accelerator,
  type VmProgram,
} from '../domain/vm-programs.ts';

/** The processors of its hosts, as people call them. */
const processors = { x64: 'Intel processors', arm64: 'Apple silicon' } as const;

interface Host {
  readonly arch: 'x64' | 'arm64';
  readonly platform: 'darwin' | 'linux';
}

type Programs = Readonly<Record<string, VmProgram>>;

/** Looks only at fields that are what they should be; `programs`: the rows that there are. */
export function vmProblems(
  file: Readonly<Record<string, unknown>>,
  host: Host,
  programs: Programs = vmPrograms,
): Problem[] {
  const { vm = 'auto' } = file;
  if (vm !== 'auto') return problemsWith(vm, file, host, programs);
  // One that goes with all of it is enough; where none does, those of the first are told.
  const here = Object.keys(programs).filter((name) =>
    programs[name]?.hosts.includes(`${host.platform}-${host.arch}`),
  );
  const all = here.map((name) => problemsWith(name, file, host, programs));
  return all.every(({ length }) => length > 0) ? (all[0] ?? []) : [];
}

function problemsWith(
  vm: unknown,
  { network, system, cpus }: Readonly<Record<string, unknown>>,
  { arch }: Host,
  programs: Programs,
): Problem[] {
  const problems: Problem[] = [];
  const bad = (path: string, value: unknown, message: string, hint: string) =>
    problems.push({ path, value, message, hint });
  if (typeof vm !== 'string' || !Object.hasOwn(programs, vm)) return [];
  const row = programs[vm] as VmProgram;
  const networks: readonly unknown[] = networksOf(row);
  if (networkNames.some((each) => each === network) && !networks.includes(network))
    bad(
      'network',
      network,
      `cannot be used with vm ${vm}`,
      `Use ${networks.join(' or ')}, or leave it out.`,
    );
  const another = 'Use qemu, or leave it out.';
  const fits = row.hosts.some((host) => host.endsWith(arch));
  if (!fits) bad('vm', vm, `runs only on ${processors[arch === 'x64' ? 'arm64' : 'x64']}`, another);
  if (row.guests === 'native' && typeof system === 'string' && system !== nativeSystem(arch))
    bad('system', system, `cannot be used with vm ${vm}`, another);
  const { maxCpus, title } = row;
  if (maxCpus !== undefined && typeof cpus === 'number' && cpus > maxCpus)
    bad(
      'cpus',
      cpus,
      `is more than ${title}'s maximum of ${maxCpus}`,
      `Choose at most ${maxCpus}.`,
    );
  return problems;
}

/** Where an accelerator that is asked for cannot be had. */
export function acceleratorProblems(
  { accelerator, system }: Readonly<Record<string, unknown>>,
  { arch, platform }: Host,
): Problem[] {
  const home = Object.hasOwn(homeOf, String(accelerator))
    ? homeOf[accelerator as Accelerator]
    : undefined;
  if (home === undefined) return [];
  const bad = (message: string) => [
    { path: 'accelerator', value: accelerator, message, hint: 'Use auto.' },
  ];
  if (home !== platform)
    return bad(`is available only on ${home === 'darwin' ? 'macOS' : 'Linux'}`);
  const own = nativeSystem(arch);
  const isForeign = (system ?? own) !== own;
  return isForeign ? bad(`can run only ${own} guests on this machine, not ${String(system)}`) : [];
}
