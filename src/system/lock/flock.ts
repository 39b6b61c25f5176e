/** flock(1) of util-linux, which locks for us on Linux: what it did, and whether it does anything at all. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { advice } from '../advice.ts';
import { Exit, Failed, errorCode, type Failure } from '../failure.ts';
import { refusal, toOpenMore } from '../files/reasons.ts';
import { findProgram, programMissing, tryProgram } from '../process/find-program.ts';

/** Exit code that says a lock is held by somebody else, and nothing but that: EX_TEMPFAIL, given to flock(1) with -E. */
export const lockHeld = 75;

/** What came of an attempt to lock; `refused`: nobody can have it, with the reason in a few words. */
type Attempt =
  | { readonly kind: 'had' }
  | { readonly kind: 'held' }
  | { readonly kind: 'refused'; readonly why: string };

/** A lock that is not had at once is never waited for (-n): who takes longer than this hangs, or the machine is slow. In ms. */
const answerMs = 400;
/** The second time it gets as many times what a program takes that does nothing; a wake from sleep falls into one of them only. */
const slowFactor = 20;

/** Locks an open file, without waiting. The lock belongs to the open file description, and so stays ours when flock(1) ends. */
export function tryFlock(fd: number): Attempt {
  return (
    attempt(fd, answerMs) ??
    attempt(fd, Math.max(answerMs, Math.round(nothingMs() * slowFactor))) ?? {
      kind: 'refused',
      why: unresponsive,
    }
  );
}

export const unresponsive = 'flock does not respond';

/** What it takes now to run a program. */
function nothingMs(): number {
  const begun = performance.now();
  spawnSync('/bin/sh', ['-c', ':'], { stdio: 'ignore', timeout: answerMs * slowFactor });
  return performance.now() - begun;
}

/** Undefined when it did not answer in time. */
function attempt(fd: number, timeout: number): Attempt | undefined {
  const { status, signal, error, stderr } = runFlock(fd, timeout);
  if (errorCode(error) === 'ETIMEDOUT') return undefined;
  if (error !== undefined) throw new Failed(whyNotStarted(error), { cause: error });
  if (status === 0) return { kind: 'had' };
  if (status === lockHeld) return { kind: 'held' };
  if (status === noSuchCommand || isMisunderstood(stderr)) throw new Failed(flockUnfit(stderr));
  if (status === null) throw new Failed(flockKilled(signal ?? 'a signal'));
  const why = refusalIn(stderr.split('\n')) ?? endOf(status);
  return { kind: 'refused', why };
}

function runFlock(fd: number, timeout: number) {
  const argv = ['-n', '-x', '-E', String(lockHeld), '3'];
  return spawnSync(findProgram('flock'), argv, {
    stdio: ['ignore', 'ignore', 'pipe', fd],
    env: { ...process.env, LC_ALL: 'C' },
    encoding: 'utf8',
    timeout,
    killSignal: 'SIGKILL',
  });
}

/** The file was found; what else a start opens is /dev/null. */
function whyNotStarted(error: Error): Failure {
  const isAbsent = errorCode(error) === 'ENOENT';
  return isAbsent && !existsSync('/dev/null') ? noDevices : flockNotStarted(error);
}

export const noDevices: Failure = {
  kind: 'cannot-start',
  message: 'Cannot start any program: /dev/null does not exist.',
  hint: 'In a chroot or container, have /dev mounted at its start. Elsewhere, as root: mknod -m 666 /dev/null c 1 3',
  exit: Exit.osError,
  recovery: 'wait',
  blocksDaemon: true,
};

/** The system starts no program for us: what a user, a container or the machine may have is used up. */
export const flockNotStarted = (error: unknown): Failure => ({
  kind: 'cannot-start',
  message: `Cannot start the program flock: ${refusal(error)}.`,
  hint: startHints[errorCode(error) ?? ''] ?? 'See that it can be started: flock --version',
  exit: Exit.osError,
  recovery: 'wait',
  blocksDaemon: true,
});

const startHints: Readonly<Record<string, string>> = {
  EAGAIN: 'Quit other programs, or raise the limit: ulimit -u, or the pids limit of the container.',
  ...toOpenMore,
  ENOMEM: 'Quit programs that use much memory.',
};

/** By the kernel, where memory is short or a sandbox forbids what it does, or by a person: it says nothing of the file. */
export const flockKilled = (signal: string): Failure => ({
  kind: 'cannot-start',
  message: `The program flock was killed by ${signal}.`,
  hint:
    signal === 'SIGSYS'
      ? 'A sandbox (seccomp) of this process forbids a system call. Run the command outside of it.'
      : 'Run the same command again. The kernel kills programs when memory is short.',
  exit: Exit.osError,
  recovery: 'wait',
  blocksDaemon: true,
});

/** How flock(1) ended that said nothing. */
export const endOf = (code: number): string => `flock exited with code ${code}`;

/** As shells have it: BusyBox without this applet, for one. */
const noSuchCommand = 127;

/** Words by which a program refuses what it was told; it was not even asked for a lock. */
const isMisunderstood = (stderr: string): boolean =>
  /(unrecognized|invalid|unknown|illegal) option|^usage:/im.test(stderr);

/** BusyBox has a `flock` that knows neither -E nor -F (its docs; 1.36). */
export const flockUnfit = (stderr: string, program = tryProgram('flock') ?? 'flock') =>
  ({
    kind: 'flock-unfit',
    message: `The program ${program} is not the flock of util-linux, which is required: ${stderr.trim().split('\n')[0] ?? ''}`,
    hint: advice`${programMissing('flock').hint}, and see that it comes first on the PATH.`,
    exit: Exit.unavailable,
    recovery: 'give-up',
  }) as const;

/**
 * Why flock(1) says that it could not lock: "flock: No locks available". It names itself, then the file or descriptor, then the reason.
 * Its own ends, to be seen as wrapper of a child, are these too: that it cannot open the file, or not become the program.
 */
export function refusalIn(lines: readonly string[]): string | undefined {
  const own = lines.findLast((line) => /^flock: (?!cannot open|failed to execute)/.test(line));
  return own === undefined ? undefined : `flock: ${own.trim().split(': ').at(-1)}`;
}
