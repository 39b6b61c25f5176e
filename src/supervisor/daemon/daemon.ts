/** The long-running process: takes the one lock, reads the config, runs the supervisor, listens to signals. */
import { existsSync } from 'node:fs';
import type { Config } from '../../config/config.ts';
import type { Layout } from '../../config/layout.ts';
import { watchForSleep } from '../../system/time/awake.ts';
import type { Clock } from '../../system/time/clock.ts';
import { Exit, Failed, type ExitCode, type Failure } from '../../system/failure.ts';
import { makeDirectory, makePrivate } from '../../system/files/files.ts';
import { isLocked } from '../../system/lock/lock.ts';
import { openLog, type OpenLog } from '../../system/log.ts';
import { removePid, writePid } from '../../system/files/pidfile.ts';
import { identify, noProc } from '../../system/process/process.ts';
import type { StopSignal } from '../../system/process/signals.ts';
import { defaultPolicy } from '../lifecycle/backoff.ts';
import { openControl } from './control.ts';
import { DaemonLock, ownPidFiles } from './daemon-lock.ts';
import { DoorHold } from './door-hold.ts';
import { noSettings } from '../health/child-failures.ts';
import { NamesWatch } from './names-watch.ts';
import { readSaved } from '../idle/saved-guest.ts';
import { readSettings, type Settings } from '../../config/read-settings.ts';
import type { Saved } from '../lifecycle/state.ts';
import type { Status } from '../status/status-schema.ts';
import { Supervisor, type SupervisorOptions } from '../supervisor.ts';
import { keepPid, Upkeep } from '../stop/upkeep.ts';

interface DaemonOptions {
  readonly layout: Layout;
  readonly clock: Clock;
  /**
   * Started by launchd or systemd, which would start a failing daemon again for ever: it lives on in phase `failed`, and waits
   * for a lock that another holds and for files that cannot be written. Otherwise each of these ends it at once.
   */
  readonly managed: boolean;
  /** As {@link Status} has it. */
  readonly release?: string | undefined;
  readonly rootsKey?: SupervisorOptions['rootsKey'];
  readonly doorSocket: string;
  readonly onStopSignal: (listener: (name: StopSignal) => void) => void;
  /** Aborted when a stop signal came before anybody here listened to those. */
  readonly signal: AbortSignal;
  readonly onStatus: (status: Status, trouble: Failure | undefined) => void;
  /** Another daemon has the lock; called once, when it is managed and begins to wait. */
  readonly onStandby: (pid: number | undefined) => void;
  /** What it needs before it can begin cannot be written; called once, when it is managed and begins to wait. */
  readonly onBlocked: (why: Failure) => void;
}

/** What a keeper's daemon waits for, since only somebody else can mend it: starts without end would help nobody. */
const unblockable: ReadonlySet<string> = new Set(['cannot-write', 'no-locks']);
/** Wrappers send a signal twice; a second one this soon is the same one. */
const sameSignalMs = 1_000;
const standbyMs = 10_000;
/** Who has just taken the lock says who it is within milliseconds; one of fifty that start at once needs longer. */
const nameless = { everyMs: 50, limitMs: 5_000 };

/** Runs until it is asked to stop; the exit code. */
export async function daemon(options: DaemonOptions): Promise<ExitCode> {
  const { clock, managed, onStopSignal, signal, onBlocked } = options;
  const asked = new AbortController();
  onStopSignal(() => asked.abort());
  for (let told = false; !signal.aborted && !asked.signal.aborted; told = true)
    try {
      return await live(options, asked.signal);
    } catch (error) {
      if (!managed || !(error instanceof Failed) || !unblockable.has(error.failure.kind))
        throw error;
      if (!told) onBlocked(error.failure);
      await clock.sleep(standbyMs, asked.signal).catch(() => undefined);
    }
  return Exit.ok;
}

/** One life. Failed `cannot-write` and `no-locks` come before it has begun: whatever cannot be written later ends no daemon. */
async function live(
  { layout, clock, managed, doorSocket, onStopSignal, onStatus, onStandby, ...rest }: DaemonOptions,
  asked: AbortSignal,
): Promise<ExitCode> {
  makeDirectory(layout.state);
  for (const path of [layout.root, layout.state]) makePrivate(path);
  const lock = await takeLock(layout, { clock, managed, onStandby, signal: asked });
  if (lock === undefined) return Exit.ok;
  try {
    const me = identify(process.pid);
    if (me === undefined)
      throw process.platform === 'linux'
        ? new Failed(noProc())
        : new Error('this process cannot see itself');
    writePid(ownPidFiles(layout), me.pid, me.program);
    let isVerbose = false;
    const read = () => {
      const found = readSettings(layout);
      isVerbose = found.config?.verbose ?? isVerbose;
      return found;
    };
    const settings = read();
    if (settings.config === undefined && !managed) throw new Failed(noSettings(layout, settings));
    const log = openLog({ path: layout.log, isVerbose: () => isVerbose });
    const isOurs = () => lock.isInPlace();
    const { rootsKey, release } = rest;
    const ours = { layout, clock, log, policy: defaultPolicy, doorSocket };
    const world = { ...ours, daemon: me, release, onStatus, isOurs };
    const supervisor = new Supervisor({ ...world, ...(rootsKey && { rootsKey }) }, settings);
    const keepOwnPid = () => keepPid(ownPidFiles(layout), me.pid, me.program);
    const options = { layout, clock, log, read, onStopSignal, asked, isOurs, keepOwnPid };
    const evicted = await supervise(supervisor, options);
    if (evicted !== undefined) throw new Failed(evicted);
    return Exit.ok;
  } finally {
    if (lock.isInPlace()) removePid(ownPidFiles(layout));
    lock.release();
  }
}

interface SuperviseOptions {
  readonly layout: Layout;
  readonly clock: Clock;
  readonly log: OpenLog;
  readonly isOurs: () => boolean;
  /** Writes again who we are, where that is gone. */
  readonly keepOwnPid: () => void;
  /** The configuration as it is now. */
  readonly read: () => Settings;
  readonly onStopSignal: DaemonOptions['onStopSignal'];
  readonly asked: AbortSignal;
}

/** Runs it to its end; why it ended where nobody had asked it to. */
async function supervise(
  supervisor: Supervisor,
  { layout, clock, log, read, onStopSignal, asked, isOurs, keepOwnPid }: SuperviseOptions,
): Promise<Failure | undefined> {
  log('info', 'daemon-started', { node: process.version, state: layout.root });
  // Before anybody can ask: who asks for the guest shall not be forgotten.
  const isDeferred = defers(layout, read().config);
  const hold = new DoorHold((isHeld) => supervisor.drain(isHeld));
  const control = await openControl(
    layout,
    {
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
        supervisor.dispatch({ type: 'restart', why: 'as requested' });
        hold.letGo();
        return {};
      },
    },
    log,
  );
  const upkeep = new Upkeep({
    ...{ layout, clock, log, isOurs },
    keepers: [() => control.keep(), () => log.keep(), keepOwnPid],
    keepElsewhere: () => supervisor.doorControl.keep(),
  });
  const names = new NamesWatch(layout.state);
  let first: number | undefined;
  onStopSignal((name) => {
    log('info', 'signal', { name });
    const now = clock.monotonic();
    if (first === undefined) supervisor.dispatch({ type: 'stop' });
    else if (now - first >= sameSignalMs) supervisor.forceStop();
    first ??= now;
  });
  const unwatchSleep = watchForSleep(
    clock,
    () => {
      const namesToo = names.isDue();
      supervisor.tick(namesToo);
      void upkeep.tick(namesToo);
    },
    (sleptMs) => supervisor.woke(sleptMs),
  );
  if (asked.aborted) supervisor.dispatch({ type: 'stop' });
  else if (isDeferred)
    supervisor.dispatch({ type: 'rest', why: { type: 'not-needed-yet' }, saved: savedIn(layout) });
  else supervisor.dispatch({ type: 'start' });
  // Loaded behind the start: the door is open sooner for it.
  const { watchFile } = await import('../../system/files/watch.ts');
  const unwatch = watchFile(layout.config, () => supervisor.settle(read()));
  const evicted = await supervisor.left;
  unwatchSleep();
  // To close it removes whatever socket is under its name, which is not ours any more then.
  if (evicted === undefined) control.close();
  await unwatch();
  log('info', 'daemon-left');
  return evicted;
}

/** What an earlier daemon's guest left of itself. */
function savedIn(layout: Layout): Saved | undefined {
  const saved = readSaved(layout);
  return saved && { bytes: saved.bytes, at: saved.at };
}

/** Whether the guest waits for the first build. What an earlier daemon left is ended by a start. */
function defers(layout: Layout, config: Config | undefined): boolean {
  if (config?.start !== 'demand') return false;
  // By their locks alone: to look for more takes seconds on macOS (lsof), in which there would be no door.
  const { vmLock, networkLock, trialLock } = layout;
  return ![vmLock, networkLock, trialLock].some((lock) => existsSync(lock) && isLocked(lock));
}

/** The lock, or undefined when a stop was asked for while waiting for it. */
async function takeLock(
  layout: Layout,
  {
    clock,
    managed,
    onStandby,
    signal,
  }: Pick<DaemonOptions, 'clock' | 'managed' | 'onStandby'> & { signal: AbortSignal },
): Promise<DaemonLock | undefined> {
  const begun = clock.monotonic();
  for (let told = false; ;) {
    const taken = DaemonLock.take(layout);
    if (taken instanceof DaemonLock) return taken;
    const other = taken.pid;
    const isNamed = other !== undefined || clock.monotonic() - begun >= nameless.limitMs;
    if (isNamed && !managed) throw new Failed(alreadyRuns(other));
    if (isNamed && !told) onStandby(other);
    told ||= isNamed;
    try {
      await clock.sleep(isNamed ? standbyMs : nameless.everyMs, signal);
    } catch {
      return undefined;
    }
  }
}

const alreadyRuns = (pid: number | undefined): Failure => ({
  kind: 'daemon-already-runs',
  message: `Another daemon is running for this state directory${pid === undefined ? ' (or `stop` is still cleaning up after an earlier one)' : `, with pid ${pid}`}.`,
  hint: 'See: linuxkit-builder status',
  exit: Exit.temporary,
});
