import { statusOf } from '../../src/supervisor/status/status-of.ts';
import type { State } from '../../src/supervisor/lifecycle/state.ts';
import { identify } from '../../src/system/process/process.ts';

/** What a daemon would say of itself in that state, were it this process. */
export function statusIn(state: State): ReturnType<typeof statusOf> {
  const daemon = identify(process.pid);
  if (daemon === undefined) throw new Error('we live');
  const nothing = { door: undefined, config: undefined, runs: undefined, problems: [] };
  return statusOf({ state, facts: {}, daemon, ...nothing });
}
