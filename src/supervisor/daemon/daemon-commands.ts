/** What the daemon does for each command that control.sock takes. */
import type { SettingsRead } from '../../config/read-settings.ts';
import { startReasons } from '../lifecycle/own-reasons.ts';
import type { Supervisor } from '../supervisor.ts';
import type { Commands } from './control.ts';
import type { DoorHold } from './door-hold.ts';

/** By the word that is sent; each gives its answer. `read`: the settings as they are now. */
export const commandsOf = (
  supervisor: Supervisor,
  hold: DoorHold,
  read: () => SettingsRead,
): Commands => ({
  drain: ({ gone }) => (hold.take(gone), supervisor.doorControl.counts()),
  undrain: () => (hold.letGo(), {}),
  refuse: () => (supervisor.drain(true, 'refuse'), supervisor.doorControl.counts()),
  admit: () => (supervisor.drain(false, 'refuse'), {}),
  door: () => {
    const crowd = supervisor.doorControl.crowd();
    return { ...supervisor.doorControl.counts(), ...(crowd === undefined ? {} : { crowd }) };
  },
  guest: async () => ({ ...(await supervisor.lookInside()) }),
  status: () => supervisor.status(),
  keys: async () => ({ told: await supervisor.tellKeys() }),
  gc: () => (hold.forget(), supervisor.onDemand.collect()),
  trim: async () => ({ goesBack: await supervisor.onDemand.housekeeping.trim() }),
  suspend: ({ isForced }) => supervisor.suspend(isForced).finally(() => hold.forget()),
  resume: () => ({ was: supervisor.onDemand.resume() ? 'away' : 'there' }),
  // Whoever drained first to restart wants the door open again; it holds until the next guest is ready.
  restart: () => {
    supervisor.verdicts.forget();
    // The change may have been made a moment ago, and nobody has told of it.
    supervisor.settle(read(), startReasons.asked);
    hold.letGo();
    return {};
  },
});
