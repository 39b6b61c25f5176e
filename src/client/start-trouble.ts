/** Why no guest comes, of a daemon that was started just now or runs already. */
import { readSettings } from '../config/read-settings.ts';
import type { Layout } from '../config/layout.ts';
import { traitsOf } from '../supervisor/lifecycle/phases.ts';
import type { Failure } from '../system/failure.ts';
import { loopbackFault } from '../system/host/loopback.ts';
import type { Clock } from '../system/time/clock.ts';
import { findStatus } from './found.ts';

/** As far as it is known so soon: what the daemon says, or that nobody could reach its front door. Undefined where nothing is. */
export async function startTrouble(
  layout: Layout,
  asker: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<Failure | undefined> {
  const found = await findStatus(layout, asker);
  if (found.daemon === 'gone') return undefined;
  const { phase, because } = found.status;
  if (because !== undefined && traitsOf(phase).guest === 'none') return because;
  return readSettings(layout).config?.door === 'tcp' ? loopbackFault() : undefined;
}
