/** What `configure` was asked for. */
import { resolve } from 'node:path';
import { Option } from 'commander';
import type { Problem } from '../../domain/problem.ts';
import type { Flag } from '../../config/setting.ts';
import { settingRows } from '../../config/settings.ts';
import type { AskedSettings } from './new-settings.ts';

export interface ConfigureFlags {
  /** The state directory. */
  readonly root: string;
  readonly asked: AskedSettings;
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

/** What was asked for, from commander's options by their names. */
export function askedIn(options: Readonly<Record<string, unknown>>): AskedSettings {
  const entries = settingRows.flatMap(([name, { flags = [] }]) => {
    const given = flags.flatMap((flag) => {
      const value = valueOf(flag, options[nameOf(flag)]);
      return value === undefined ? [] : [[flag.part ?? name, value] as const];
    });
    if (given.length === 0) return [];
    const isWhole = flags.every(({ part }) => part === undefined);
    return [[name, isWhole ? given[0]?.[1] : Object.fromEntries(given)] as const];
  });
  return Object.fromEntries(entries);
}

/** What is none of its kind stays text: the check of the settings then names it with everything else. */
function valueOf({ is }: Flag, given: unknown): unknown {
  if (typeof given !== 'string') return is === 'switch' ? given : undefined;
  if (is === 'number') return /^-?\d+(\.\d+)?$/.test(given) ? Number(given) : given;
  if (is === 'list') return words(given);
  return is === 'path' && given !== '' ? resolve(given) : given;
}

/** The words of a list, with commas between. */
export const words = (list: string): string[] =>
  list.split(',').flatMap((word) => (word.trim() === '' ? [] : [word.trim()]));

const nameOf = ({ flags }: Flag): string => new Option(flags).attributeName();
const longOf = ({ flags }: Flag): string => new Option(flags).long ?? flags;

/** A problem as whoever gave a flag knows it: by the flag; what stands in the file is named as it is there. */
export function byFlag(problem: Problem, asked: AskedSettings): Problem {
  const [setting = '', part] = problem.path.split('.');
  const isGiven = Object.entries(asked).some(
    ([name, value]) => name === setting && value !== undefined,
  );
  const flags = flagsOf(setting);
  const flag = flags.find((each) => each.part === part) ?? flags[0];
  return flag === undefined || !isGiven ? problem : { ...problem, path: longOf(flag) };
}

/** The setting that a word after --reset means: its own name, or its flag's. */
export const settingNamed = (word: string): string =>
  settingRows.find(([, { flags = [] }]) =>
    flags.some((flag) => longOf(flag) === `--${word}`),
  )?.[0] ?? word;

const flagsOf = (setting: string): readonly Flag[] =>
  settingRows.find(([name]) => name === setting)?.[1].flags ?? [];
