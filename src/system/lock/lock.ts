/**
 * Two locks. The kernel lock decides who the one daemon is and is held for life: freed by the kernel at death, it can be
 * neither stale nor stolen. proper-lockfile, a directory whose freshness is an mtime, only serialises the sections in
 * which the daemon, configure and image build touch the same files.
 */
import { closeSync, constants, fstatSync, openSync, rmSync, statSync } from 'node:fs';
import { reasonOf, type Clock } from '../time/clock.ts';
import { errorCode, Exit, Failed, type Failure } from '../failure.ts';
import { cannotWrite } from '../files/cannot-write.ts';
import { linkOf } from '../files/final-target.ts';
import { shellWord } from '../shell.ts';
import { tryFlock } from './flock.ts';

/** A lock that is held, until it is released or this process ends. */
export interface KernelLock {
  release(): void;
  /** Whether its path still leads to the file that is locked: somebody else may hold another file of that name. */
  isInPlace(): boolean;
}

/** macOS <fcntl.h>: open with an exclusive lock. Linux has no such flag; there flock(1) locks. */
const O_EXLOCK = 0x20;

/**
 * Takes an exclusive lock on a file (made when missing), or returns undefined when somebody holds it. Never waits. Failed
 * `cannot-write` when the file is not ours to open, `no-locks` where nobody can lock it.
 */
export function tryKernelLock(path: string): KernelLock | undefined {
  const darwin = process.platform === 'darwin';
  const fd = darwin ? openLocked(path) : open(path, 0);
  if (fd === undefined) return undefined;
  if (!darwin && !isTaken(path, fd)) {
    closeSync(fd);
    return undefined;
  }
  return { release: () => closeSync(fd), isInPlace: () => leadsTo(path, fd) };
}

/** Whether the descriptor has the lock now; closes it where that cannot be. */
function isTaken(path: string, fd: number): boolean {
  try {
    const attempt = tryFlock(fd);
    if (attempt.kind === 'refused') throw new Failed(noLocks(path, attempt.why));
    return attempt.kind === 'had';
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** macOS: a descriptor with the file's lock, which whoever inherits it shares; undefined when somebody has it. */
export function openLocked(path: string): number | undefined {
  try {
    return open(path, constants.O_NONBLOCK | O_EXLOCK);
  } catch (error) {
    if (error instanceof Failed && errorCode(error.cause) === 'EAGAIN') return undefined;
    throw error;
  }
}

/** A child that cannot have its lock. */
export const childLockHeld = (lock: string): Failure => ({
  kind: 'child-lock-held',
  message: `Did not start the program: another process of this builder still holds ${lock}.`,
  hint: 'The next attempt looks for that process again.',
  exit: Exit.temporary,
  blames: 'leftover',
});

/** Where a file cannot be locked by anybody, nothing of ours can be told from another's; `why` in a few words. */
export const noLocks = (path: string, why: string): Failure => ({
  kind: 'no-locks',
  message: `Cannot lock ${path}: its file system does not support locks (${why}).`,
  hint: 'Put the state directory on a local disk: -d DIRECTORY, or LINUXKIT_BUILDER_DIR.',
  exit: Exit.osError,
  recovery: 'give-up',
  blocksDaemon: true,
});

/** Whoever worked alone does so no more. */
export const lockLost = (path: string): Failure => ({
  kind: 'lock-lost',
  message: `Lost the lock ${path}: another process removed it, or this machine was asleep.`,
  hint: 'Try again.',
  exit: Exit.temporary,
});

export const lockIsLink = (path: string): Failure => ({
  kind: 'cannot-write',
  message: `Cannot lock ${path}: it is a symbolic link.`,
  hint: `The daemon never makes such a link. See where it leads, and delete it: ls -l ${shellWord(path)}`,
  exit: Exit.noPermission,
  recovery: 'give-up',
});

/** open(2) of macOS with O_EXLOCK, where the file system has no locks: ENOTSUP mostly; an NFS server that does not answer, ENOLCK. */
const lockless: readonly (string | undefined)[] = ['ENOTSUP', 'EOPNOTSUPP', 'ENOLCK'];

/** Through no link in its place, by which a file that is not ours would be made or locked: only what leads there is followed. */
function open(path: string, flags: number): number {
  const { O_RDWR, O_CREAT, O_NOFOLLOW } = constants;
  try {
    return openSync(path, O_RDWR | O_CREAT | O_NOFOLLOW | flags, 0o600);
  } catch (error) {
    const code = errorCode(error);
    if (linkOf(path) !== undefined) throw new Failed(lockIsLink(path), { cause: error });
    if (lockless.includes(code)) throw new Failed(noLocks(path, code ?? ''), { cause: error });
    throw new Failed(cannotWrite(path, error), { cause: error });
  }
}

function leadsTo(path: string, fd: number): boolean {
  try {
    const [there, ours] = [statSync(path), fstatSync(fd)];
    return there.ino === ours.ino && there.dev === ours.dev;
  } catch (error) {
    // Only what is certain counts: a directory that cannot be searched may be the same.
    return errorCode(error) !== 'ENOENT' && errorCode(error) !== 'ENOTDIR';
  }
}

/** True while some process holds the kernel lock of that file. */
export function isLocked(path: string): boolean {
  const lock = tryKernelLock(path);
  lock?.release();
  return lock === undefined;
}

/** The kernel's lock of a section, made with the first one. */
export const sectionLock = (path: string): string => `${path}.kernel`;

/** Loaded with the first section; whoever lives long loads it before an upgrade takes the file away. */
export const loadLockfile = () => import('proper-lockfile');

interface OperationLockOptions {
  readonly clock: Clock;
  readonly signal?: AbortSignal;
  /** How often its freshness is renewed, and with it how soon a loss is noticed. Default 5 s. */
  readonly refreshMs?: number;
  /** Called once when somebody else is in the section and we start to wait. */
  readonly onWaiting?: () => void;
}

/**
 * Runs work alone among all who name the same path. work gets a signal that aborts when the lock was lost (somebody removed
 * it, or a sleep was longer than its stale time): finish nothing after that.
 *
 * The kernel's lock on PATH.kernel comes first, so that whoever has it knows that a proper-lockfile which is still there belongs
 * to a process that was killed, and removes it: nobody waits for it to become stale, and no two take a stale one over.
 */
export async function withOperationLock<T>(
  path: string,
  options: OperationLockOptions,
  work: (lost: AbortSignal) => Promise<T>,
): Promise<T> {
  // Loaded with the first section, behind the opening of the daemon's door.
  const { default: lockfile } = await loadLockfile();
  const kernel = await waitForKernelLock(sectionLock(path), options);
  try {
    rmSync(`${path}.lock`, { recursive: true, force: true });
    const lost = new AbortController();
    const release = await lockfile.lock(path, {
      realpath: false,
      onCompromised: () => lost.abort(new Failed(lockLost(path))),
      update: options.refreshMs ?? 5_000,
    });
    try {
      return await work(lost.signal);
    } finally {
      if (!lost.signal.aborted) await release();
    }
  } finally {
    kernel.release();
  }
}

async function waitForKernelLock(
  path: string,
  { clock, signal, onWaiting }: OperationLockOptions,
): Promise<KernelLock> {
  for (let told = false; ; told = true) {
    if (signal?.aborted === true) throw reasonOf(signal);
    const lock = tryKernelLock(path);
    // Who was in the section may have deleted the directory.
    if (lock?.isInPlace() === true) return lock;
    lock?.release();
    if (!told) onWaiting?.();
    await clock.sleep(100, signal);
  }
}
