/** After root's key is another, or the user's: a guest that runs learns of it from its daemon, others with their next start. */
import type { Layout } from '../config/layout.ts';
import { ask } from '../supervisor/daemon/ask-daemon.ts';
import { traitsOf } from '../supervisor/lifecycle/phases.ts';
import { readStatus } from '../supervisor/status/status.ts';
import { Failed } from '../system/failure.ts';
import { readIfThere } from '../system/files/files.ts';
import type { CliContext } from '../command/context.ts';
import { advice, ours, type Text } from '../system/advice.ts';

/** Says what is to be done where a guest that is ready could not be told. */
export async function tellGuest(
  layout: Layout,
  { clock, signal }: Pick<CliContext, 'clock' | 'signal'>,
  say: (line: Text) => void,
): Promise<void> {
  if (readIfThere(layout.status) === undefined) return;
  const found = readStatus(layout);
  if (found.daemon === 'gone' || traitsOf(found.status.phase).builds !== 'now') return;
  try {
    if ((await ask(layout, 'keys', clock, signal))['told'] === true) return;
  } catch (error) {
    // One of the release before, or at its end.
    if (!(error instanceof Failed)) throw error;
  }
  say(keysLater);
}

/** The daemon could not tell its guest, or is of the release before. */
export const keysLater = advice`The guest uses the new keys after a restart: ${ours('restart')}`;
