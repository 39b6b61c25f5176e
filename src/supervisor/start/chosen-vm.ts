/** What a start is made with: the settings as they are now, and the program that is chosen for its guest. */
import { Failed } from '../../system/failure.ts';
import type { Verdicts } from '../../domain/verdicts.ts';
import { chooseVm } from '../../vm/choose-vm.ts';
import { noSettings } from '../health/child-failures.ts';
import type { Settings } from '../../config/read-settings.ts';
import { Scope, type ScopeNews, type ScopeOptions } from '../scope.ts';

interface BeginOptions extends Omit<ScopeOptions, 'config' | 'choice'>, Settings {
  /** What is held against what. */
  readonly verdicts: Pick<Verdicts, 'all'>;
}

/** A new start. Throws Failed where there are no settings, or no program that could run the guest. */
export function begin(options: BeginOptions, news: ScopeNews): Scope {
  const { config, layout, verdicts } = options;
  if (config === undefined) throw new Failed(noSettings(layout, options));
  const choice = chooseVm({ config, layout, known: verdicts.all() });
  return new Scope({ ...options, config, choice }, news);
}
