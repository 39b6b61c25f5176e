/** What `configure` was asked for. */
import type { ConfigFile } from '../config/config.ts';
import type { Problem } from '../config/problem.ts';
import type { Asked } from '../host/settings.ts';

export interface ConfigureFlags {
  /** The state directory. */
  readonly root: string;
  readonly asked: Asked;
  /** Names of settings that shall have their defaults again. */
  readonly reset: readonly string[];
  /** Go on from a state directory of linuxkit-nix. */
  readonly takeOver: boolean;
  readonly dryRun: boolean;
  readonly verbose: boolean;
  readonly quiet: boolean;
  readonly skipRoot: boolean;
  /** With skipRoot: root's part as values instead of a script. */
  readonly json: boolean;
  /** Every key is made anew. */
  readonly renewKeys?: boolean;
}

/** The flags that give settings their values. */
const flags: { readonly [Setting in keyof ConfigFile]: string } = {
  features: '--features',
  mandatoryFeatures: '--mandatory-features',
  extraSystems: '--extra-systems',
  speedFactor: '--speed-factor',
  protocol: '--protocol',
  diskGiB: '--disk',
  cpus: '--cpus',
  memoryMiB: '--memory',
  door: '--door',
  port: '--port',
  maxJobs: '--max-jobs',
  vm: '--vm',
  system: '--system',
  network: '--network',
  accelerator: '--accelerator',
  bundle: '--bundle',
  keepAwake: '--keep-awake',
  autostart: '--autostart',
  idle: '--idle',
  start: '--start',
};
/** Those that give a part of a setting its value. */
const partFlags: Readonly<Record<string, string>> = { 'idle.after': '--idle-after' };

/** A problem as whoever gave a flag knows it: by the flag; what stands in the file is named as it is there. */
export function byFlag(problem: Problem, asked: Asked): Problem {
  const [setting = ''] = problem.path.split('.');
  const flag =
    partFlags[problem.path] ?? Object.entries(flags).find(([name]) => name === setting)?.[1];
  const isGiven = Object.entries(asked).some(
    ([name, value]) => name === setting && value !== undefined,
  );
  return flag === undefined || !isGiven ? problem : { ...problem, path: flag };
}

/** The setting that a word after --reset means: its own name, or its flag's. */
export const settingNamed = (word: string): string =>
  Object.entries(flags).find(([, flag]) => flag === `--${word}`)?.[0] ?? word;
