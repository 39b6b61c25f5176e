/** The long-running process: takes the one lock, reads the config, and has the supervisor run to its end. */
import { statSync } from 'node:fs';
import { recorded } from '../../domain/problem.ts';
import type { Layout } from '../../config/layout.ts';
import type { Clock } from '../../system/time/clock.ts';
import { Exit, Failed, type ExitCode, type Failure } from '../../system/failure.ts';
import { makeDirectory } from '../../system/files/files.ts';
import { stampOf } from '../../system/files/stamp.ts';
import { openLog } from '../../system/log.ts';
import { removePid, writePid } from '../../system/files/pidfile.ts';
import { identify, noProc } from '../../system/process/process.ts';
import type { StopSignal } from '../../system/process/signals.ts';
import { defaultPolicy } from '../lifecycle/backoff.ts';
import { ownPidFiles, standbyMs, takeLock, type DaemonLock } from './daemon-lock.ts';
import { noSettings } from '../health/child-failures.ts';
import { readSettings, type SettingsRead } from '../../config/read-settings.ts';
import type { Status } from '../status/status-schema.ts';
import type { SupervisorOptions } from '../supervisor-options.ts';
import { Supervisor } from '../supervisor.ts';
import { keepPid } from '../stop/upkeep.ts';
import { supervise } from './supervise.ts';
import { advice, ours } from '../../system/advice.ts';
import { isNotThere } from '../../system/stats.ts';

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
  /** What the commands in its status have to name. */
  readonly directory?: string | undefined;
  readonly rootsKey?: SupervisorOptions['rootsKey'];
  readonly doorSocket: string;
  /** Makes its directories private, or fails where others can all the same put something there, or have. */
  readonly closeDirectories: (layout: Layout) => Promise<void>;
  readonly onStopSignal: (listener: (name: StopSignal) => void) => void;
  /** Aborted when a stop signal came before anybody here listened to those. */
  readonly signal: AbortSignal;
  readonly onStatus: (status: Status, trouble: Failure | undefined) => void;
  /** Another daemon has the lock; called once, when it is managed and begins to wait. */
  readonly onStandby: (pid: number | undefined) => void;
  /** What it needs before it can begin cannot be written; called once, when it is managed and begins to wait. */
  readonly onBlocked: (why: Failure) => void;
}

/** Runs until it is asked to stop; the exit code. */
export async function daemon(options: DaemonOptions): Promise<ExitCode> {
  const { clock, managed, onStopSignal, signal, onBlocked } = options;
  const asked = new AbortController();
  onStopSignal(() => asked.abort());
  for (let told = false; !signal.aborted && !asked.signal.aborted; told = true)
    try {
      return await live(options, asked.signal);
    } catch (error) {
      // Starts without end would mend nothing.
      const waits = managed && error instanceof Failed && error.failure.blocksDaemon === true;
      if (!waits) throw error;
      if (!told) onBlocked(error.failure);
      await clock.sleep(standbyMs, asked.signal).catch(() => undefined);
    }
  return Exit.ok;
}

/** One life. What blocks a daemon comes before it has begun: whatever cannot be written later ends none. */
async function live(options: DaemonOptions, asked: AbortSignal): Promise<ExitCode> {
  const { layout, clock, managed, onStandby, closeDirectories } = options;
  // At a boot its volume may come later: what is made in its place would be hidden then, or keep it away.
  if (managed && isAbsent(layout.root)) throw new Failed(directoryAbsent(layout.root));
  makeDirectory(layout.state);
  await closeDirectories(layout);
  const lock = await takeLock(layout, { clock, managed, onStandby, signal: asked });
  if (lock === undefined) return Exit.ok;
  try {
    const evicted = await liveWith(lock, options, asked);
    if (evicted !== undefined) throw new Failed(evicted);
    return Exit.ok;
  } finally {
    if (lock.isInPlace()) removePid(ownPidFiles(layout));
    lock.release();
  }
}

/** One that we may not look into is another matter. */
function isAbsent(path: string): boolean {
  try {
    statSync(path);
    return false;
  } catch (error) {
    return isNotThere(error);
  }
}

export const directoryAbsent = (root: string): Failure => ({
  kind: 'directory-absent',
  message: `The state directory ${root} does not exist, or the volume that it is on is not mounted yet.`,
  hint: advice`If it was deleted, set up a new builder: ${ours('up')}`,
  exit: Exit.config,
  recovery: 'wait',
  blocksDaemon: true,
});

/** With the lock taken; why the life ended where nobody had asked for that. */
async function liveWith(
  lock: DaemonLock,
  options: DaemonOptions,
  asked: AbortSignal,
): Promise<Failure | undefined> {
  const { layout, clock, managed, onStopSignal } = options;
  const me = identify(process.pid) ?? unseen();
  writePid(ownPidFiles(layout), me.pid, me.program);
  const { read, isVerbose } = settingsOf(layout);
  const readAt = stampOf(layout.config);
  const settings = read();
  if (settings.config === undefined && !managed) throw new Failed(noSettings(layout, settings));
  const own = { log: openLog({ path: layout.log, isVerbose }), isOurs: () => lock.isInPlace() };
  const supervisor = new Supervisor(forSupervisor(options, { ...own, daemon: me }), settings);
  return supervise(supervisor, {
    ...own,
    layout,
    clock,
    read,
    readAt,
    onStopSignal,
    asked,
    keepOwnPid: () => keepPid(ownPidFiles(layout), me.pid, me.program),
  });
}

const forSupervisor = (
  {
    layout,
    clock,
    doorSocket,
    release,
    directory,
    onStatus,
    rootsKey,
    closeDirectories,
  }: DaemonOptions,
  own: Pick<SupervisorOptions, 'log' | 'isOurs' | 'daemon'>,
): SupervisorOptions => ({
  ...own,
  layout,
  clock,
  policy: defaultPolicy,
  doorSocket,
  release,
  directory,
  onStatus,
  closeDirectories: () => closeDirectories(layout),
  ...(rootsKey === undefined ? {} : { rootsKey }),
});

/** This process does not see itself. */
function unseen(): never {
  if (process.platform === 'linux') throw new Failed(noProc());
  throw new Error('this process cannot see itself');
}

/** Reads them anew at each call. Whether the log shall be verbose stays what it was while they cannot be read. */
function settingsOf(layout: Layout): { read: () => SettingsRead; isVerbose: () => boolean } {
  let isVerbose = false;
  return {
    read: () => {
      const found = readSettings(layout);
      isVerbose = found.config?.verbose ?? isVerbose;
      // From here they go into the status, the log and the output.
      return { ...found, problems: found.problems.map(recorded) };
    },
    isVerbose: () => isVerbose,
  };
}
