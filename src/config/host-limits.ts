/** What this host cannot give, whatever a configuration asks of it. */
import { acceleratorProblems, vmProblems } from './combinations.ts';
import { withoutCommonHint, type Problem } from '../domain/problem.ts';

/** What the host has, measured by system/host.ts; the limits of a config. */
export interface HostFacts {
  readonly arch: 'x64' | 'arm64';
  readonly platform: 'darwin' | 'linux';
  readonly cpus: number;
  /** How many of them are fast, where there are two kinds. */
  readonly performanceCores?: number | undefined;
  readonly memoryMiB: number;
  /** The machine has more memory than that: a container or a slice is limited to it. */
  readonly isLimited?: boolean;
  /** It runs on a battery where there is no socket: a laptop. */
  readonly hasBattery?: boolean;
  /** Whole size and free space of the file system that holds the state directory. */
  readonly diskGiB: number;
  readonly diskFreeGiB: number;
}

/** In GiB. */
export const leastDiskGiB = 2;

/** Where no value is right, none is advised. */
export const noDiskFits = (problem: Problem, { diskGiB }: HostFacts): Problem =>
  problem.path !== 'diskGiB' || diskGiB >= leastDiskGiB
    ? problem
    : {
        ...withoutCommonHint(problem),
        hint: `No size fits here: the minimum is ${leastDiskGiB} GiB, and the whole file system has only ${diskGiB} GiB. Choose another directory with -d.`,
      };

/** What no host of this size can give. Looks only at fields that are numbers, so it can run beside the shape's own problems. */
export function hostProblems(json: unknown, host: HostFacts): Problem[] {
  const file = (typeof json === 'object' && json !== null ? json : {}) as Record<string, unknown>;
  const above = (path: string, limit: number, unit: string, hint: string): Problem[] => {
    const value = file[path];
    return typeof value === 'number' && value > limit
      ? [{ path, value, message: `is more than this machine has: ${limit} ${unit}`, hint }]
      : [];
  };
  return [
    ...above('cpus', host.cpus, host.cpus === 1 ? 'CPU' : 'CPUs', `Choose at most ${host.cpus}.`),
    ...above(
      'memoryMiB',
      host.memoryMiB,
      `MiB of memory${host.isLimited === true ? ' (the limit of a container or slice)' : ''}`,
      `Choose at most ${host.memoryMiB}; a quarter of that is a good start.`,
    ),
    ...above(
      'diskGiB',
      host.diskGiB,
      'GiB of disk',
      `Choose at most ${host.diskGiB}; ${host.diskFreeGiB} GiB are free now.`,
    ),
    ...vmProblems(file, host),
    ...acceleratorProblems(file, host),
  ];
}
