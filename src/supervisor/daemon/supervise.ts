/** A daemon's supervisor, from its first event to its last, with all that asks it to do something: commands, signals, files and time. */
import { existsSync } from 'node:fs';
import type { Config } from '../../config/config.ts';
import type { Layout } from '../../config/layout.ts';
import type { SettingsRead } from '../../config/read-settings.ts';
import type { Failure } from '../../system/failure.ts';
import { isLocked } from '../../system/lock/lock.ts';
import type { FileWatch } from '../../system/files/watch.ts';
import type { OpenLog } from '../../system/log.ts';
import type { StopSignal } from '../../system/process/signals.ts';
import { watchForSleep } from '../../system/time/awake.ts';
import type { Clock } from '../../system/time/clock.ts';
import { leftIn } from '../idle/saved-guest.ts';
import type { Event } from '../lifecycle/state.ts';
import { Upkeep } from '../stop/upkeep.ts';
import type { Supervisor } from '../supervisor.ts';
import { openControl } from './control.ts';
import type { Control } from './control-socket.ts';
import { commandsOf } from './daemon-commands.ts';
import { DoorHold } from './door-hold.ts';
import { NamesWatch } from './names-watch.ts';

interface SuperviseOptions {
  readonly layout: Layout;
  readonly clock: Clock;
  readonly log: OpenLog;
  readonly isOurs: () => boolean;
  /** Writes again who we are, where that is gone. */
  readonly keepOwnPid: () => void;
  /** The configuration as it is now. */
  readonly read: () => SettingsRead;
  /** Its file's stamp, from before the supervisor's settings were read. */
  readonly readAt: string;
  readonly onStopSignal: (listener: (name: StopSignal) => void) => void;
  readonly asked: AbortSignal;
}

/** Runs it to its end; why it ended where nobody had asked it to. */
export async function supervise(
  supervisor: Supervisor,
  options: SuperviseOptions,
): Promise<Failure | undefined> {
  const { layout, log, read, onStopSignal, asked } = options;
  log('info', 'daemon-started', { node: process.version, state: layout.root });
  // Before anybody can ask: who asks for the guest shall not be forgotten.
  const isDeferred = defers(layout, read().config);
  const hold = new DoorHold((isHeld) => supervisor.drain(isHeld));
  const control = await openControl(layout, commandsOf(supervisor, hold, read), log);
  onStopSignal(stopOf(supervisor, options));
  const watched: { file?: FileWatch } = {};
  const unwatchSleep = keepTime(supervisor, control, {
    ...options,
    look: () => watched.file?.look(),
  });
  supervisor.dispatch(asked.aborted ? { type: 'stop' } : firstEvent(layout, isDeferred));
  // Loaded behind the start: the door is open sooner for it.
  const { watchFile } = await import('../../system/files/watch.ts');
  const onChange = () => supervisor.settle(read());
  const watch = (watched.file = watchFile(layout.config, onChange, options.readAt));
  const evicted = await supervisor.left;
  unwatchSleep();
  // To close it removes whatever socket is under its name, which is not ours any more then.
  if (evicted === undefined) control.close();
  await watch.close();
  log('info', 'daemon-left');
  return evicted;
}

/** Wrappers send a signal twice; a second one this soon is the same one. */
const sameSignalMs = 1_000;

/** What a stop signal does: the first asks for a stop, one that comes later forces it. */
function stopOf(
  supervisor: Supervisor,
  { clock, log }: Pick<SuperviseOptions, 'clock' | 'log'>,
): (name: StopSignal) => void {
  let first: number | undefined;
  return (name) => {
    log('info', 'signal', { name });
    const now = clock.monotonic();
    if (first === undefined) supervisor.dispatch({ type: 'stop' });
    else if (now - first >= sameSignalMs) supervisor.forceStop();
    first ??= now;
  };
}

/** What comes back again and again: the supervisor's own looks, the upkeep of our files, and what a sleep of the host asks for. Returns what ends it. */
function keepTime(
  supervisor: Supervisor,
  control: Control,
  {
    layout,
    clock,
    log,
    isOurs,
    keepOwnPid,
    look,
  }: SuperviseOptions & { readonly look: () => void },
): () => void {
  const upkeep = new Upkeep({
    layout,
    clock,
    log,
    isOurs,
    keepers: [() => control.keep(), () => log.keep(), keepOwnPid],
    keepElsewhere: () => supervisor.doorControl.keep(),
  });
  const names = new NamesWatch(layout.state);
  const tick = () => {
    const namesToo = names.isDue();
    supervisor.tick(namesToo);
    void upkeep.tick(namesToo);
    look();
  };
  return watchForSleep(clock, tick, (sleptMs) => supervisor.woke(sleptMs));
}

const firstEvent = (layout: Layout, isDeferred: boolean): Event =>
  isDeferred
    ? { type: 'rest', why: { type: 'not-needed-yet' }, saved: leftIn(layout) }
    : { type: 'start' };

/** Whether the guest waits for the first build. What an earlier daemon left is ended by a start. */
function defers(layout: Layout, config: Config | undefined): boolean {
  if (config?.start !== 'demand') return false;
  // By their locks alone: to look for more takes seconds on macOS (lsof), in which there would be no door.
  const { vmLock, networkLock, trialLock } = layout;
  return ![vmLock, networkLock, trialLock].some((lock) => existsSync(lock) && isLocked(lock));
}
