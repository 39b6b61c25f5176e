/** What a change of settings means for a builder that runs: what acts at once, what waits for a start of the guest. Pure. */
import type { Config } from '../config/config.ts';

export interface Effects {
  /** Settings in words: `cpus: 2 to 4`. */
  readonly atOnce: readonly string[];
  /** What the guest takes at its next start. */
  readonly atStart: readonly string[];
  /** Builds find nobody until then: the one who listens does so elsewhere. */
  readonly isUrgent: boolean;
}

/** Those that concern this machine alone. */
const hostOnly: ReadonlySet<string> = new Set(['autostart']);
/** What is made from the others. */
const derived: ReadonlySet<string> = new Set(['coresPerJob', 'system']);

/** Nothing in a configuration destroys data: a disk only grows. */
export function effectsOf(before: Config | undefined, after: Config): Effects {
  const old: Readonly<Record<string, unknown>> = before ?? {};
  const changed = Object.entries(after).filter(
    ([name, value]) =>
      before !== undefined &&
      !derived.has(name) &&
      JSON.stringify(value) !== JSON.stringify(old[name]),
  );
  const words = (isWanted: (name: string) => boolean) =>
    changed
      .filter(([name]) => isWanted(name))
      .map(([name, value]) => `${name}: ${shown(old[name])} to ${shown(value)}`);
  return {
    atOnce: words((name) => hostOnly.has(name)),
    atStart: words((name) => !hostOnly.has(name)),
    isUrgent: changed.some(([name]) => name === 'port'),
  };
}

/** For a person whose builder runs. */
export const effectLines = ({ atOnce, atStart, isUrgent }: Effects): string[] => [
  ...(atOnce.length === 0 ? [] : [`Acts at once: ${atOnce.join('; ')}.`]),
  ...(atStart.length === 0
    ? []
    : [
        `Acts when the guest starts again: ${atStart.join('; ')}. Nothing on its disk is lost. When you want it: linuxkit-builder restart`,
      ]),
  ...(isUrgent ? ['Until then Nix looks for the builder where it does not listen.'] : []),
];

function shown(value: unknown): string {
  if (value === undefined) return 'unset';
  if (Array.isArray(value)) return value.join(',');
  return typeof value === 'string' ? value : JSON.stringify(value);
}
