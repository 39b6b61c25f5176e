/** What a change of settings means for a builder that runs: what acts at once, what waits for a start of the guest. */
import {
  changesBetween,
  describeChange,
  waitsForStart,
  type RecordedSettings,
} from '../../config/config-changes.ts';
import type { Config } from '../../config/config.ts';
import { sizeIfThere } from '../../system/files/files.ts';
import type { ConfigureRun } from './configure-facts.ts';
import { advice, ours, type Text } from '../../system/advice.ts';

interface SettingEffects {
  /** Settings in words: `cpus: 2 to 4`. */
  readonly atOnce: readonly string[];
  /** What the guest takes at its next start. */
  readonly atStart: readonly string[];
  /** Builds find nobody until then: the one who listens does so elsewhere. */
  readonly isUrgent: boolean;
}

/** From what runs to what is configured. Nothing in a configuration destroys data: a disk only grows. */
export function effectsOf(before: RecordedSettings | undefined, after: Config): SettingEffects {
  const changes = before === undefined ? [] : changesBetween(before, after);
  return {
    atOnce: changes.filter((change) => !waitsForStart(change)).map(describeChange),
    atStart: changes.filter(waitsForStart).map(describeChange),
    isUrgent: changes.some(({ name }) => name === 'port' || name === 'door'),
  };
}

/** For a person whose builder runs. */
export const effectLines = ({ atOnce, atStart, isUrgent }: SettingEffects): Text[] => [
  ...(atOnce.length === 0 ? [] : [`Takes effect immediately: ${atOnce.join('; ')}.`]),
  ...(atStart.length === 0
    ? []
    : [
        advice`Takes effect when the guest next starts: ${atStart.join('; ')}. Its disk is kept. To restart it now: ${ours('restart')}`,
      ]),
  ...(isUrgent ? ['Until then, Nix cannot reach the builder.'] : []),
];

/** Nothing is restarted by us: somebody's build may be running. What runs may be other than what the file said before. */
export async function adviseRestart(
  { layout, context, say }: ConfigureRun,
  old: Config | undefined,
  now: Config,
): Promise<void> {
  // Where no daemon ever was, nothing is loaded to ask it.
  if ([layout.log, layout.status].every((path) => sizeIfThere(path) === undefined)) return;
  const { findStatus } = await import('../../client/found.ts');
  const found = await findStatus(layout, context);
  if (found.daemon === 'gone') return;
  const { phase, builder } = found.status;
  // Without a guest the daemon takes them by itself.
  const { traitsOf } = await import('../../supervisor/lifecycle/phases.ts');
  if (traitsOf(phase).guest === 'none') return;
  const base = old ?? now;
  const runs =
    builder === undefined
      ? old
      : // Which program `auto` has taken is no other setting.
        {
          ...base,
          ...builder,
          bundle: builder.bundle,
          ...(base.vm === 'auto' ? { vm: base.vm } : {}),
          ...(base.network === 'auto' ? { network: base.network } : {}),
        };
  effectLines(effectsOf(runs, now)).forEach(say);
}
