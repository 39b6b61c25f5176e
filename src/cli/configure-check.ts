/** Everything that can be wrong with what `configure` was asked for, found before anything is written. */
import type { Config } from '../config/config.ts';
import { layoutOf, stateDirectoryProblems } from '../config/layout.ts';
import { describeProblem, type Problem } from '../config/problem.ts';
import type { System } from '../config/system.ts';
import { directoryProblems } from '../host/directories.ts';
import { featureProblems } from '../host/features.ts';
import { newSettings } from '../host/settings.ts';
import { Exit, Failed, failureOf } from '../system/failure.ts';
import { readIfThere, sizeIfThere } from '../system/files.ts';
import { hostFacts } from '../system/host.ts';
import { bundleAt, checkBundle } from '../vm/bundle.ts';
import { byFlag, type ConfigureFlags } from './configure-flags.ts';

/** What config.json shall be. */
export interface Settings {
  readonly config: Config;
  readonly text: string;
}

/** The new settings, or everything that is wrong with them and with their directory at once. */
export function check({ root, asked, reset }: ConfigureFlags, kvm?: boolean): Settings {
  const layout = layoutOf(root);
  const place = [...stateDirectoryProblems(root), ...directoryProblems(layout)];
  const settings = newSettings({
    asked,
    reset,
    existing: place.length > 0 ? undefined : readIfThere(layout.config),
    host: hostFacts(root),
    diskBytes: place.length > 0 ? undefined : sizeIfThere(layout.disk),
  });
  const wrong = [
    ...(settings.ok ? featureProblems(settings.config.features, kvm) : settings.problems),
    ...bundleProblems(asked.bundle, settings.ok ? settings.config.system : undefined),
  ];
  if (settings.ok && place.length === 0 && wrong.length === 0) return settings;
  throw new Failed(badSettings([...place, ...wrong].map((problem) => byFlag(problem, asked))));
}

/** A bundle that is named now is whole, as far as a look can tell. */
function bundleProblems(prefix: unknown, system: System | undefined): Problem[] {
  if (typeof prefix !== 'string') return [];
  try {
    checkBundle(bundleAt(prefix), { full: false, ...(system && { system }) });
    return [];
  } catch (error) {
    const { message } = failureOf(error);
    const hint = 'Name PREFIX where PREFIX-kernel, PREFIX-initrd.img and PREFIX-cmdline are.';
    return [{ path: 'bundle', value: prefix, message: message.replace(/\.$/, ''), hint }];
  }
}

function badSettings(problems: readonly Problem[]) {
  return {
    kind: 'bad-settings',
    message:
      problems.length === 1
        ? 'One thing is wrong, and nothing was changed:'
        : `${problems.length} things are wrong, and nothing was changed:`,
    hint: 'docs/configuration.md says what each setting takes.',
    exit: Exit.usage,
    lines: problems.map(describeProblem),
  };
}
