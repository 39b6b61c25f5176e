/** A process in a session of its own, with a file for what it says, by Node itself: its end is its `exit` event. */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { errorCode, Failed } from '../failure.ts';
import { lockHeld } from '../lock/flock.ts';
import { childLockHeld, openLocked } from '../lock/lock.ts';
import { tryProgram } from './find-program.ts';

/** A program to run, as data: nothing has run. */
export interface Launch {
  /** Absolute path, or a name to be found on PATH. */
  readonly program: string;
  readonly argv: readonly string[];
  /** The whole environment: nothing of ours is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Unix sockets that are made for it: it inherits them listening, from descriptor {@link firstSocketFd} on. */
  readonly sockets?: readonly string[];
}

/** After stdin, stdout and stderr. */
export const firstSocketFd = 3;

/** How a process ended. `not-started`: the system could not run it at all. */
export type ExitStatus =
  | { readonly kind: 'exited'; readonly code: number }
  | { readonly kind: 'signalled'; readonly signal: string }
  | { readonly kind: 'not-started'; readonly reason: string };

/** `extra`: descriptors that it inherits behind its own three. */
export function spawnSession(what: Launch, output: string, extra: readonly number[]) {
  const fd = openSync(output, 'a', 0o600);
  try {
    const process = spawn(what.program, what.argv, {
      cwd: what.cwd,
      env: what.env,
      stdio: ['ignore', fd, fd, ...extra],
      detached: true,
    });
    return { pid: process.pid, ended: endOfChild(process), unref: () => process.unref() };
  } catch (error) {
    // Some of what the system refuses is thrown, and the rest is told by an event.
    const ended = Promise.resolve(notStarted(error));
    return { pid: undefined, ended, unref: () => undefined };
  } finally {
    closeSync(fd);
  }
}

/** Settles once, never rejects. */
export const endOfChild = (process: ChildProcess): Promise<ExitStatus> =>
  new Promise((resolve) => {
    process.once('exit', (code, signal) =>
      resolve(
        signal === null ? { kind: 'exited', code: code ?? 0 } : { kind: 'signalled', signal },
      ),
    );
    process.once('error', (error) => resolve(notStarted(error)));
  });

/** The end of a program that could not be begun, by what Node said of it. */
export const notStarted = (error: unknown): ExitStatus => ({
  kind: 'not-started',
  reason: errorCode(error) ?? (error instanceof Error ? error.message : String(error)),
});

/** The launch, made to hold a lock file: on Linux by flock(1) as exec wrapper, on macOS by an inherited descriptor. */
export function withLock(
  what: Launch,
  lock: string,
): { program: string; argv: readonly string[]; extra: number[] } {
  if (process.platform === 'darwin') {
    const fd = openLocked(lock);
    if (fd === undefined) throw new Failed(childLockHeld(lock));
    return { ...what, extra: [fd] };
  }
  return {
    // By its path: the child's own PATH need not lead to it.
    program: tryProgram('flock') ?? 'flock',
    argv: ['-n', '-F', '-E', String(lockHeld), lock, what.program, ...what.argv],
    extra: [],
  };
}
