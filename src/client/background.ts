/** The daemon as a terminal starts it: in a session of its own, or by its keeper. */
import { join } from 'node:path';
import type { Layout } from '../config/layout.ts';
import { spawnDetached } from '../system/process/child.ts';
import type { Clock } from '../system/time/clock.ts';
import { Exit, Failed, type Failure } from '../system/failure.ts';
import { makeDirectory } from '../system/files/files.ts';
import { lastLinesOf } from '../system/files/rotated-log.ts';
import { isLocked } from '../system/lock/lock.ts';
import { until } from '../system/time/wait.ts';
import { describeToOwner } from '../domain/problem.ts';
import { noSettings } from '../supervisor/health/child-failures.ts';
import { readSettings } from '../config/read-settings.ts';
import { findStatus } from './found.ts';
import { advice, ours } from '../system/advice.ts';

interface Terminal {
  readonly env: NodeJS.ProcessEnv;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** The package's folder: its dist/main.js is the daemon. */
  readonly assets: string;
}

/** A daemon writes its status within 0.2 s; this is for a machine that is very busy. */
const startMs = 20_000;

/**
 * Starts the daemon unless one runs, in a session of its own or by asking its keeper (launchd, systemd). Resolves when it has
 * said its first status. Failed `container-would-end`, `daemon-did-not-start`, or for what is wrong in the settings.
 */
export async function startDaemon(
  layout: Layout,
  terminal: Terminal,
  keeper?: () => Promise<void>,
): Promise<{ pid: number; already: boolean }> {
  const running = await findStatus(layout, terminal);
  if (running.daemon === 'alive') return { pid: running.status.daemon.pid, already: true };
  const settings = readSettings(layout);
  if (settings.config === undefined)
    throw new Failed(noSettings(layout, settings, describeToOwner));
  if (keeper === undefined && process.pid === 1) throw new Failed(wouldEndWithUs);
  makeDirectory(layout.state);
  // What would end the daemon at once is said here, and not only in its log.
  isLocked(layout.daemonLock);
  const child = keeper === undefined ? startDetached(layout, terminal) : await keeper();
  const pid = await firstPid(layout, terminal, child?.ended);
  if (pid === undefined) throw new Failed(didNotStart(layout));
  return { pid, already: false };
}

/** Its own pid in its first status; undefined where that does not come, or it has ended. */
async function firstPid(
  layout: Layout,
  terminal: Terminal,
  ended: Promise<unknown> | undefined,
): Promise<number | undefined> {
  const { clock, signal } = terminal;
  const isUp = async () => (await findStatus(layout, terminal)).daemon === 'alive';
  const orEnded = ended === undefined ? {} : { orEnded: ended };
  const came = await until(isUp, { clock, signal, everyMs: 20, timeoutMs: startMs, ...orEnded });
  const found = await findStatus(layout, terminal);
  return came === 'held' && found.daemon === 'alive' ? found.status.daemon.pid : undefined;
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
    'PATH',
    'HOME',
    'USER',
    'LOGNAME',
    'LANG',
    'TMPDIR',
    'XDG_CACHE_HOME',
    // The user's message bus: a desktop's notifications.
    'XDG_RUNTIME_DIR',
    'DBUS_SESSION_BUS_ADDRESS',
  ];
  return Object.fromEntries(
    names.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])),
  );
}

/** The kernel ends all other processes of a container with its first one (pid_namespaces(7)): a daemon in the background, too. */
export const wouldEndWithUs: Failure = {
  kind: 'container-would-end',
  message:
    'This command is the first process of its container, so a daemon that it started would end with it.',
  hint: advice`Run the daemon as the first process: ${ours('daemon')}`,
  exit: Exit.usage,
};

/** It ended, or has not come within its time. */
export const didNotStart = (layout: Layout): Failure => ({
  kind: 'daemon-did-not-start',
  message: 'The daemon did not start.',
  hint: advice`To see its log: ${ours('logs')}`,
  exit: Exit.unavailable,
  lines: (lastLinesOf(layout.daemonOutput, 30) ?? []).filter(Boolean).slice(-10),
});
