/** The daemon seen from a terminal: starting it in a session of its own, ending it, waiting for it. */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { checkConfig, type Config } from '../config/config.ts';
import type { Layout } from '../config/layout.ts';
import { spawnDetached } from '../system/child.ts';
import type { Clock } from '../system/clock.ts';
import { Exit, Failed, type Failure } from '../system/failure.ts';
import { makeDirectory, readIfThere } from '../system/files.ts';
import { hostFacts } from '../system/host.ts';
import { isLocked, sectionLock } from '../system/lock.ts';
import { silent } from '../system/log.ts';
import { readLive, removePid } from '../system/pidfile.ts';
import { tryProgram } from '../system/program.ts';
import { until } from '../system/wait.ts';
import { driverFor } from '../vm/choose-vm.ts';
import { configInvalid } from './failure.ts';
import { discardSaved } from './saved-guest.ts';
import { readSettings } from './read-settings.ts';
import { DaemonLock, otherDaemon, ownPidFiles } from './daemon-lock.ts';
import { findStatus } from './found.ts';
import { endLeftovers, isAnyLeft, type LeftBehind } from './left-behind.ts';
import { traitsOf } from './phases.ts';

export interface Terminal {
  readonly env: NodeJS.ProcessEnv;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** The package's folder: its dist/main.js is the daemon. */
  readonly assets: string;
}

/** A daemon writes its status within 0.2 s; this is for a machine that is very busy. */
const startMs = 20_000;
/** A stop is over in 25 s. */
const stopMs = 30_000;
/** Another stop ends what was left within 33 s; a daemon is without its record for milliseconds. */
const namelessMs = 40_000;

/**
 * Starts the daemon unless one runs, in a session of its own or by asking its keeper (launchd, systemd). Resolves when it has
 * said its first status.
 */
export async function startDaemon(
  layout: Layout,
  terminal: Terminal,
  keeper?: () => Promise<void>,
): Promise<{ pid: number; already: boolean }> {
  const { clock, signal } = terminal;
  const running = await findStatus(layout, terminal);
  if (running.daemon === 'alive') return { pid: running.status.daemon.pid, already: true };
  const { problems } = readSettings(layout);
  if (problems.length > 0) throw new Failed(configInvalid(problems));
  makeDirectory(layout.state);
  // What would end the daemon at once is said here, and not only in its log.
  isLocked(layout.daemonLock);
  const child = await (keeper === undefined ? startDetached(layout, terminal) : keeper());
  const isUp = async () => (await findStatus(layout, terminal)).daemon === 'alive';
  const came = await until(isUp, {
    clock,
    signal,
    everyMs: 20,
    timeoutMs: startMs,
    ...(child === undefined ? {} : { orEnded: child.ended }),
  });
  const status = await findStatus(layout, terminal);
  if (came === 'held' && status.daemon === 'alive')
    return { pid: status.status.daemon.pid, already: false };
  throw new Failed(didNotStart(layout));
}

function startDetached(layout: Layout, { env, assets }: Terminal) {
  return spawnDetached(
    {
      program: process.execPath,
      argv: [join(assets, 'dist/main.js'), 'daemon', '--directory', layout.root],
      env: daemonEnvironment(env),
      cwd: '/',
    },
    layout.daemonOutput,
  );
}

/** What the daemon may know of the terminal's environment: where programs and the user's files are. */
function daemonEnvironment(env: NodeJS.ProcessEnv): Record<string, string> {
  const names = [
    ...['PATH', 'HOME', 'USER', 'LOGNAME', 'LANG', 'TMPDIR', 'XDG_CACHE_HOME'],
    // The user's message bus: a desktop's notifications.
    ...['XDG_RUNTIME_DIR', 'DBUS_SESSION_BUS_ADDRESS'],
  ];
  return Object.fromEntries(
    names.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])),
  );
}

/** Ends the daemon in order, and a VM that an earlier one left behind, which it may not have come to end. */
export async function stopDaemon(
  layout: Layout,
  terminal: Pick<Terminal, 'clock' | 'signal'>,
): Promise<'stopped' | 'leftover-ended' | 'nothing-runs'> {
  const found = await daemonOrLock(layout, terminal);
  if (found === undefined) return 'nothing-runs';
  if (!('pid' in found)) return endLeftBehind(layout, found, terminal);
  await endDaemon(layout, found.pid, terminal);
  const lock = DaemonLock.take(layout);
  if (lock instanceof DaemonLock) await endLeftBehind(layout, lock, terminal);
  return 'stopped';
}

/**
 * Who the daemon is, or else its lock: for so long no daemon begins, whose children and files would be taken for what was
 * left. Undefined when no daemon ever ran here.
 */
async function daemonOrLock(
  layout: Layout,
  { clock, signal }: Pick<Terminal, 'clock' | 'signal'>,
): Promise<{ pid: number } | DaemonLock | undefined> {
  const { daemonLock, vmLock, networkLock, trialLock } = layout;
  const other = otherDaemon(layout);
  if (other !== undefined) return { pid: other };
  if (![daemonLock, vmLock, networkLock, trialLock].some((lock) => existsSync(lock))) {
    // Where no lock can be had, not even that nothing runs is known.
    const section = sectionLock(layout.startLock);
    if (existsSync(section)) isLocked(section);
    return readLive(ownPidFiles(layout));
  }
  makeDirectory(layout.state);
  // Held without a record: a daemon that begins or ends, which is over in a moment, or another stop.
  let found = DaemonLock.take(layout);
  const isNamed = () => found instanceof DaemonLock || found.pid !== undefined;
  const look = () => isNamed() || ((found = DaemonLock.take(layout)), isNamed());
  await until(look, { clock, signal, everyMs: 50, timeoutMs: namelessMs });
  if (found instanceof DaemonLock) return found;
  if (found.pid === undefined) throw new Failed(isNameless(layout));
  return { pid: found.pid };
}

async function endDaemon(
  layout: Layout,
  pid: number,
  { clock, signal }: Pick<Terminal, 'clock' | 'signal'>,
): Promise<'stopped'> {
  process.kill(pid, 'SIGTERM');
  const isGone = () => readLive(ownPidFiles(layout))?.pid !== pid;
  if ((await until(isGone, { clock, signal, everyMs: 50, timeoutMs: stopMs })) === 'held')
    return 'stopped';
  throw new Failed(doesNotStop(pid));
}

async function endLeftBehind(
  layout: Layout,
  lock: DaemonLock,
  { clock, signal }: Pick<Terminal, 'clock' | 'signal'>,
): Promise<'leftover-ended' | 'nothing-runs'> {
  try {
    // Who ends the builder for good leaves nothing of what was in its guest's memory.
    discardSaved(layout);
    const config = settingsOf(layout);
    const driver = driverFor({ config, layout });
    const program = tryProgram(driver.program(config)) ?? driver.program(config);
    const left: LeftBehind = { layout, driver, program, clock, log: silent };
    if (!(await isAnyLeft(left))) return 'nothing-runs';
    await endLeftovers(left, signal);
    // What the daemon that was killed could not take away itself.
    removePid(ownPidFiles(layout));
    rmSync(layout.control, { force: true });
    return 'leftover-ended';
  } finally {
    lock.release();
  }
}

/** Those of config.json; the defaults where it cannot be taken: what runs is told by its record. */
function settingsOf(layout: Layout): Config {
  const { config, problems } = readSettings(layout);
  if (config !== undefined) return config;
  const parsed = checkConfig({}, hostFacts(layout.root));
  if (!parsed.ok) throw new Failed(configInvalid(problems));
  return parsed.config;
}

export interface WaitOptions extends Pick<Terminal, 'clock' | 'signal'> {
  readonly timeoutMs: number;
  /** Each new sentence of the status. */
  readonly onSentence: (sentence: string) => void;
}

/** The guest is ready, or comes with the next build; else why it will not be ready, or not in time. */
export async function waitUntilReady(
  layout: Layout,
  { clock, signal, timeoutMs, onSentence }: WaitOptions,
): Promise<'ready' | 'on-demand' | Failure> {
  let said = '';
  let decided: 'ready' | 'on-demand' | Failure | undefined;
  const isDecided = async () => {
    const found = await findStatus(layout, { clock, signal });
    if (found.daemon === 'gone') decided = found.last?.because ?? noDaemon;
    else {
      const { phase, because, sentence } = found.status;
      const { builds } = traitsOf(phase);
      if (builds === 'now') decided = 'ready';
      else if (builds === 'on-demand') decided = builds;
      else if (builds === 'never') decided = because;
      else if (sentence !== said) onSentence((said = sentence));
    }
    return decided !== undefined;
  };
  await until(isDecided, { clock, signal, everyMs: 50, timeoutMs });
  return decided ?? notInTime(timeoutMs / 1000, said);
}

const noDaemon: Failure = {
  kind: 'daemon-not-running',
  message: 'No daemon runs.',
  hint: 'Start it: linuxkit-builder start.',
  exit: Exit.unavailable,
};

const notInTime = (seconds: number, said: string): Failure => ({
  kind: 'not-ready-in-time',
  message: `Not ready after ${seconds} s. ${said}`,
  hint: 'See: linuxkit-builder status, linuxkit-builder console.',
  exit: Exit.temporary,
});

const didNotStart = (layout: Layout): Failure => ({
  kind: 'daemon-did-not-start',
  message: 'The daemon did not start.',
  hint: `More may be in ${layout.log}.`,
  exit: Exit.unavailable,
  lines: (readIfThere(layout.daemonOutput) ?? '').split('\n').filter(Boolean).slice(-10),
});

const doesNotStop = (pid: number): Failure => ({
  kind: 'daemon-does-not-stop',
  message: `The daemon (pid ${pid}) did not end within ${stopMs / 1000} s.`,
  hint: `A second 'linuxkit-builder stop' ends the guest without waiting for it.`,
  exit: Exit.temporary,
});

const isNameless = (layout: Layout): Failure => ({
  kind: 'daemon-does-not-stop',
  message: `A daemon runs that does not say who it is, or another stop is not done: ${layout.daemonLock} is held.`,
  hint: 'Try again in a moment; who holds it says: lsof, or fuser.',
  exit: Exit.temporary,
});
