/** What the daemon does for each command that control.sock takes. */
import type { SettingsRead } from '../../config/read-settings.ts';
import { startReasons } from '../lifecycle/own-reasons.ts';
import type { Supervisor } from '../supervisor.ts';
import type { Commands } from './control.ts';
import type { DoorHold } from './door-hold.ts';

/**
 * By the word that is sent; each gives its answer. `read`: the settings as they are now. What somebody has held the door for lets go of his
 * hold, and of nobody else's. He may ask that over another connection and then hang up; clients of an earlier release hold it by none.
 */
export const commandsOf = (
  supervisor: Supervisor,
  hold: DoorHold,
  read: () => SettingsRead,
): Commands => ({
  drain: ({ gone }) => (hold.take(gone), supervisor.doorControl.counts()),
  undrain: ({ gone }) => (hold.letGo(gone), {}),
  refuse: () => (supervisor.drain(true, 'refuse'), supervisor.doorControl.counts()),
  admit: () => (supervisor.drain(false, 'refuse'), {}),
  door: () => {
    const crowd = supervisor.doorControl.crowd();
    return { ...supervisor.doorControl.counts(), ...(crowd === undefined ? {} : { crowd }) };
  },
  guest: async () => ({ ...(await supervisor.lookInside()) }),
  status: () => supervisor.status(),
  question: ({ gone }) => (supervisor.onDemand.question(gone), {}),
  keys: async () => ({ told: await supervisor.tellKeys() }),
  gc: ({ gone }) => {
    // It holds the door by itself, for as long as it must: whoever asked may be killed before it ends.
    const collected = supervisor.onDemand.housekeeping.collect();
    hold.letGo(gone);
    return collected;
  },
  trim: async () => ({ goesBack: await supervisor.onDemand.housekeeping.trim() }),
  suspend: ({ isForced, gone }) => supervisor.suspend(isForced).finally(() => hold.letGo(gone)),
  resume: () => ({ was: supervisor.onDemand.resume() ? 'away' : 'there' }),
  restart: ({ gone }) => {
    supervisor.verdicts.forget();
    // The change may have been made a moment ago, and nobody has told of it.
    supervisor.settle(read(), startReasons.asked);
    // Nobody comes in before the next guest is ready.
    hold.letGo(gone);
    return {};
  },
});
