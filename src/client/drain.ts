/** Before a stop, and until it is done: no new connection comes in, and those that are through may finish. */
import type { Layout } from '../config/layout.ts';
import type { Counts } from '../door/through.ts';
import { AwakeClock } from '../system/time/awake.ts';
import type { Clock } from '../system/time/clock.ts';
import { Failed } from '../system/failure.ts';
import { readLive } from '../system/files/pidfile.ts';
import type { Busy } from '../supervisor/daemon/control-protocol.ts';
import { ask, holdDoor, isRefusal, type DoorHeld } from '../supervisor/daemon/ask-daemon.ts';
import { ownPidFiles } from '../supervisor/daemon/daemon-lock.ts';

interface DrainOptions {
  readonly clock: Clock;
  /** Ends the wait, and lets new connections in again: the stop is called off. */
  readonly signal: AbortSignal;
  /** `refuse`: new connections are sent off, and stay so when the wait is called off; `hold`, the default, is what a stop does. */
  readonly how?: 'hold' | 'refuse';
  /** Sleep of the machine does not count. */
  readonly limitMs: number;
  /** What is still through. Called when it changes. */
  readonly onBusy: (busy: Busy) => void;
  /** The daemon lives and does not answer: what is through is not known. Called once each time. */
  readonly onSilent: () => void;
}

/** How often the door is asked who is still through. */
const everyMs = 500;
/** A look into the guest costs it a process: it is made when a connection came or went, and now and then. */
const looksEvery = 10;

/** `drained` when nothing is through any more (or no daemon runs), `limit` when time was up. */
type End = 'drained' | 'limit';

/** Waits for that, then does `work`, to which it gives the hold on the door, if there is one. That ends with the work: a guest that goes holds it itself. */
export async function drain<T>(
  layout: Layout,
  options: DrainOptions,
  work: (end: End, door?: DoorHeld) => T | Promise<T>,
): Promise<T> {
  const held: Held = {};
  try {
    const end = await untilDrained(layout, options, held);
    return await work(end, held.door);
  } catch (error) {
    // A daemon of an earlier release may hold it for ever; no other heeds this.
    if (options.how !== 'refuse')
      await ask(layout, 'undrain', options.clock).catch(() => undefined);
    throw error;
  } finally {
    held.door?.[Symbol.dispose]();
  }
}

async function untilDrained(layout: Layout, options: DrainOptions, held: Held): Promise<End> {
  const { clock, signal, limitMs, onSilent, how = 'hold' } = options;
  const begin = how === 'hold' ? 'drain' : 'refuse';
  const limit = new AbortController();
  const cancelLimit = new AwakeClock(clock).after(limitMs, () => limit.abort());
  const tell = busyNews(layout, options);
  let isSilent = false;
  try {
    for (let turn = 0; ; turn++) {
      // One that did not answer may not have heard, or be another.
      const command = turn === 0 || isSilent ? begin : 'door';
      const found = await connections(layout, command, options, held);
      if (found?.loggedIn === 0 && found.entering === 0) return 'drained';
      if (limit.signal.aborted) return 'limit';
      if (found === undefined && !isSilent) onSilent();
      isSilent = found === undefined;
      await tell(found, turn);
      await clock.sleep(everyMs, signal);
    }
  } finally {
    cancelLimit();
  }
}

/** Those that are through, but not strangers, who never log in. */
type Connections = Pick<Counts, 'loggedIn' | 'entering'>;

/** None where no daemon lives. Undefined when one lives that does not say. */
async function connections(
  layout: Layout,
  command: 'drain' | 'refuse' | 'door',
  { clock, signal }: DrainOptions,
  held: Held,
): Promise<Connections | undefined> {
  try {
    const said = await (command === 'drain' ? hold() : ask(layout, command, clock, signal));
    // A daemon of the release before does not tell them apart.
    const { open = 0, loggedIn = open, entering = 0 } = said;
    return { loggedIn, entering };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof Failed) || isRefusal(error)) throw error;
    return readLive(ownPidFiles(layout)) === undefined ? { loggedIn: 0, entering: 0 } : undefined;
  }

  async function hold(): Promise<Partial<Counts>> {
    const door = await holdDoor(layout, clock, signal);
    held.door?.[Symbol.dispose]();
    return (held.door = door);
  }
}

/** The door is held no longer than this process lives: who is killed in the midst of the wait keeps nobody out. */
interface Held {
  door?: DoorHeld;
}

/** Tells who is still through, when that changes. */
function busyNews(layout: Layout, { clock, signal, onBusy }: DrainOptions) {
  let told: Busy | undefined;
  return async (found: Connections | undefined, turn: number): Promise<void> => {
    if (found === undefined || found.loggedIn === 0) return;
    const { loggedIn } = found;
    const isLook = loggedIn !== told?.loggedIn || turn % looksEvery === 0;
    const builds = isLook ? await buildsIn(layout, clock, signal) : told?.builds;
    if (loggedIn !== told?.loggedIn || builds !== told.builds)
      onBusy((told = { loggedIn, builds }));
  };
}

/** What is not known does not end the wait: whether the daemon lives is asked at the door. */
async function buildsIn(layout: Layout, clock: Clock, signal: AbortSignal) {
  const { builds } = await ask(layout, 'guest', clock, signal).catch(() => ({ builds: undefined }));
  return typeof builds === 'number' ? builds : undefined;
}
