/** config.json as configure writes it: the settings that were asked for, over those that stand there. */
import {
  checkConfig,
  withoutMark,
  type Config,
  type ConfigFile,
  type HostFacts,
} from '../../config/config.ts';
import type { Problem } from '../../domain/problem.ts';
import { settingNames } from '../../config/settings.ts';
import { advice, ours } from '../../system/advice.ts';

/** What was asked for on the command line; numbers that are none are left as text, so that the check names them. */
export type AskedSettings = { readonly [Setting in keyof ConfigFile]?: unknown };

interface SettingsOptions {
  readonly asked: AskedSettings;
  /** Settings that shall have their defaults again. */
  readonly reset?: readonly string[];
  /** The text of config.json, undefined if there is none. */
  readonly existing: string | undefined;
  readonly host: HostFacts;
  /** Size of the disk that exists, which is never made smaller. */
  readonly diskBytes: number | undefined;
}

type NewSettings =
  | { readonly ok: true; readonly config: Config; readonly text: string }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** The new config.json, checked as the daemon will check it; the same bytes when no setting changes. */
export function newSettings(options: SettingsOptions): NewSettings {
  const { asked, reset = [], existing, host, diskBytes } = options;
  const read = readObject(existing);
  if ('message' in read) return { ok: false, problems: [read] };
  const given = Object.entries(asked).filter(([, value]) => value !== undefined);
  const changed = given
    .map(([name, value]) => [name, over(read.object[name], value)] as const)
    .filter(([name, value]) => !isEqual(read.object[name], value));
  const kept = Object.entries(read.object).filter(([name]) => !reset.includes(name));
  const file = { ...Object.fromEntries(kept), ...Object.fromEntries(changed) };
  const checked = checkConfig(file, host);
  const wrong = [
    ...resetProblems(
      reset,
      given.map(([name]) => name),
    ),
    ...(checked.ok ? [] : checked.problems),
    ...diskProblems(file['diskGiB'], checked, diskBytes),
  ];
  if (!checked.ok || wrong.length > 0) return { ok: false, problems: wrong };
  const isSame = changed.length === 0 && kept.length === Object.keys(read.object).length;
  const text = existing !== undefined && isSame ? existing : `${JSON.stringify(file, null, 2)}\n`;
  return { ok: true, config: checked.config, text };
}

function resetProblems(reset: readonly string[], given: readonly string[]): Problem[] {
  return reset.flatMap((name) => {
    const problem = { path: '--reset', value: name };
    if (!settingNames.includes(name))
      return [
        {
          ...problem,
          message: 'is not a setting',
          hint: `The settings are: ${settingNames.join(', ')}.`,
        },
      ];
    return given.includes(name)
      ? [{ ...problem, message: 'is also given a value', hint: 'Use one of the two.' }]
      : [];
  });
}

function readObject(
  text: string | undefined,
): { readonly object: Readonly<Record<string, unknown>> } | Problem {
  const problem = (message: string): Problem => ({
    path: 'config.json',
    value: undefined,
    message,
    hint: 'Correct it, or move it away to start with the defaults.',
  });
  try {
    const json: unknown = JSON.parse(withoutMark(text ?? '{}'));
    return typeof json === 'object' && json !== null && !Array.isArray(json)
      ? { object: { ...json } }
      : problem('is not a JSON object');
  } catch (error) {
    return problem(`is not valid JSON (${(error as Error).message})`);
  }
}

function diskProblems(
  asked: unknown,
  checked: ReturnType<typeof checkConfig>,
  diskBytes: number | undefined,
): Problem[] {
  const wanted = checked.ok ? checked.config.diskGiB : asked;
  if (typeof wanted !== 'number' || diskBytes === undefined) return [];
  if (wanted * 1024 ** 3 >= diskBytes) return [];
  const has = Math.ceil(diskBytes / 1024 ** 3);
  return [
    {
      path: 'diskGiB',
      value: wanted,
      message: `is less than the ${has} GiB of the existing disk, which cannot be made smaller`,
      hint: advice`Use -s ${has} or more, or start with an empty disk first: ${ours('disk reset')}`,
    },
  ];
}

/** What is asked for, over what stands there: of a setting that has parts only those that were named are others. */
const over = (old: unknown, asked: unknown): unknown =>
  hasParts(old) && hasParts(asked) ? { ...old, ...asked } : asked;
const hasParts = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isEqual = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
