/** What a change of settings means for a builder that runs: what acts at once, what waits for a start of the guest. Pure. */
import { changesBetween, describeChange, waitsForStart } from '../../config/config-changes.ts';
import type { Config } from '../../config/config.ts';

export interface SettingEffects {
  /** Settings in words: `cpus: 2 to 4`. */
  readonly atOnce: readonly string[];
  /** What the guest takes at its next start. */
  readonly atStart: readonly string[];
  /** Builds find nobody until then: the one who listens does so elsewhere. */
  readonly isUrgent: boolean;
}

/** From what runs to what is configured. Nothing in a configuration destroys data: a disk only grows. */
export function effectsOf(before: Config | undefined, after: Config): SettingEffects {
  const changes = before === undefined ? [] : changesBetween(before, after);
  return {
    atOnce: changes.filter((change) => !waitsForStart(change)).map(describeChange),
    atStart: changes.filter(waitsForStart).map(describeChange),
    isUrgent: changes.some(({ name }) => name === 'port' || name === 'door'),
  };
}

/** For a person whose builder runs. */
export const effectLines = ({ atOnce, atStart, isUrgent }: SettingEffects): string[] => [
  ...(atOnce.length === 0 ? [] : [`Acts at once: ${atOnce.join('; ')}.`]),
  ...(atStart.length === 0
    ? []
    : [
        `Acts when the guest starts again: ${atStart.join('; ')}. Nothing on its disk is lost. When you want it: linuxkit-builder restart`,
      ]),
  ...(isUrgent ? ['Until then Nix looks for the builder where it does not listen.'] : []),
];
