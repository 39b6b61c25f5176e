/** What differs between two configurations, for people and programs. Pure. */
import type { Config } from './config.ts';
import { settingRows, waitsForGuest } from './settings.ts';

/** One setting whose value is another. */
interface Change {
  readonly name: string;
  readonly from: unknown;
  readonly to: unknown;
}

/** Made from the others. */
const derived: ReadonlySet<string> = new Set(['coresPerJob']);

/** Settings as another release may have them. */
export type RecordedSettings = Readonly<Record<Exclude<keyof Config, 'autostart'>, unknown>>;

/** Every setting in which they differ. */
export function changesBetween(before: RecordedSettings, after: Config): Change[] {
  const old: Readonly<Record<string, unknown>> = before;
  return Object.entries({ ...after, bundle: after.bundle })
    .filter(
      ([name, value]) => !derived.has(name) && JSON.stringify(value) !== JSON.stringify(old[name]),
    )
    .map(([name, to]) => ({ name, from: old[name] ?? null, to: to ?? null }));
}

/** What a guest was started with, and of the new settings those that need no start. */
export const applyNow = (runs: Config, config: Config): Config => ({
  ...runs,
  ...Object.fromEntries(
    settingRows.filter(([name]) => !waitsForGuest(name)).map(([name]) => [name, config[name]]),
  ),
});

/** Those settings that a guest takes when it starts. */
export const settingsOfGuest = (config: Config): Readonly<Record<string, unknown>> =>
  Object.fromEntries(Object.entries(config).filter(([name]) => waitsForGuest(name)));

/** What a guest that took those would have otherwise. */
export const changesForGuest = (before: Readonly<Record<string, unknown>>, now: Config): Change[] =>
  // One cast: what is not there is not looked at.
  changesBetween(before as RecordedSettings, now).filter(waitsForStart);

/** True for what a guest takes when it starts. */
export const waitsForStart = ({ name }: Pick<Change, 'name'>): boolean => waitsForGuest(name);

/** `cpus: 2 to 4`. */
export const describeChange = ({ name, from, to }: Change): string =>
  `${name}: ${shown(from)} to ${shown(to)}`;

function shown(value: unknown): string {
  if (value === undefined || value === null) return 'unset';
  if (Array.isArray(value)) return value.join(',');
  return typeof value === 'string' ? value : JSON.stringify(value);
}
