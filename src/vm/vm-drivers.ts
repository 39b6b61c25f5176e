/** The programs that can run the guest, by name, and which build of each is here: what is found out with one says nothing of another. */
import type { Config } from '../config/config.ts';
import { vmNames, type VmName } from '../domain/vm-programs.ts';
import { versionOf } from '../system/files/stamp.ts';
import { systemBuild } from '../system/host/host.ts';
import { tryProgram } from '../system/process/find-program.ts';
import type { ProblemsInput, VmDriver } from './vm-driver.ts';
import { hyperkit } from './hyperkit/hyperkit-control.ts';
import { vfkit } from './vfkit/vfkit-control.ts';
import { qemu } from './qemu/qemu-control.ts';

/** One for each row of {@link vmPrograms}. */
export const vmDrivers: Readonly<Record<VmName, VmDriver>> = { qemu, hyperkit, vfkit };

export function driverOf(vm: string): VmDriver {
  const name = vmNames.find((each) => each === vm);
  if (name === undefined) throw new Error(`no VM program ${vm}`);
  return vmDrivers[name];
}

/** Why a program would refuse such a builder, whatever its image: half a sentence. Undefined where it would not. */
export function refusalOf(vm: string, input: Omit<ProblemsInput, 'bundle'>): string | undefined {
  const [problem] = driverOf(vm).problems(input);
  if (problem === undefined) return undefined;
  const { path, message } = problem;
  return path === 'vm' ? message : `cannot use this ${path}: it ${message}`;
}

/** The same of the program that is here, which is asked for its version. */
export async function refusalHere(
  vm: string,
  { config, layout, path = process.env['PATH'] }: Here & Pick<ProblemsInput, 'layout'>,
  signal: AbortSignal,
): Promise<string | undefined> {
  const driver = driverOf(vm);
  const program = tryProgram(driver.program(config), path);
  const abilities = program && (await driver.abilities?.(program, signal));
  return refusalOf(vm, { config, layout, ...(abilities && { abilities }) });
}

interface Here {
  readonly config: Pick<Config, 'system'>;
  /** Default: ours. */
  readonly path?: string | undefined;
  /** This system's build; default: what it says. */
  readonly osBuild?: string;
}

/** In this boot of the host. */
export const basisOf = (vm: string, here: Omit<Here, 'osBuild'>): string =>
  versionOf(programOf(vm, here));

/** In whichever boot of the host, with that of the system below it. */
export const buildOf = (vm: string, { osBuild = systemBuild(), ...here }: Here): string =>
  `${versionOf(programOf(vm, here), { lasts: true })} ${osBuild}`;

/** Its path; its name where there is none. */
function programOf(vm: string, { config, path = process.env['PATH'] }: Here): string {
  return tryProgram(driverOf(vm).program(config), path) ?? vm;
}
