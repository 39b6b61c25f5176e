/**
 * Two locks. The kernel lock decides who the one daemon is and is held for life: freed by the kernel at death, it can be
 * neither stale nor stolen. proper-lockfile, a directory whose freshness is an mtime, only serialises the sections in
 * which the daemon, configure and image build touch the same files.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import lockfile from 'proper-lockfile';
import { reasonOf, type Clock } from './clock.ts';
import { errorCode } from './failure.ts';

export interface KernelLock {
  release(): void;
}

/** macOS <fcntl.h>; ignored by Linux, where flock(1) locks the descriptor for us. */
const O_EXLOCK = 0x20;

/** Takes an exclusive lock on a file (made when missing), or returns undefined when somebody holds it. Never waits. */
export function tryKernelLock(path: string): KernelLock | undefined {
  const darwin = process.platform === 'darwin';
  const flags =
    constants.O_RDWR | constants.O_CREAT | (darwin ? constants.O_NONBLOCK | O_EXLOCK : 0);
  let fd: number;
  try {
    fd = openSync(path, flags, 0o600);
  } catch (error) {
    if (darwin && errorCode(error) === 'EAGAIN') return undefined;
    throw error;
  }
  // The lock belongs to the open file description, which the helper shares: it stays ours when flock(1) ends.
  if (!darwin) {
    const helper = spawnSync('flock', ['-n', '-x', '3'], {
      stdio: ['ignore', 'ignore', 'ignore', fd],
    });
    if (helper.status !== 0) {
      closeSync(fd);
      if (helper.error !== undefined) throw helper.error;
      return undefined;
    }
  }
  return { release: () => closeSync(fd) };
}

/** True while some process holds the kernel lock of that file. */
export function isLocked(path: string): boolean {
  const lock = tryKernelLock(path);
  lock?.release();
  return lock === undefined;
}

export interface SectionOptions {
  readonly clock: Clock;
  readonly signal?: AbortSignal;
  /** How often its freshness is renewed, and with it how soon a loss is noticed. Default 5 s. */
  readonly refreshMs?: number;
  /** Called once when somebody else is in the section and we start to wait. */
  readonly onWaiting?: () => void;
}

/**
 * Runs work alone among all who name the same path. work gets a signal that aborts when the lock was lost (a sleep longer
 * than its stale time let another take it): finish nothing after that.
 */
export async function inSection<T>(
  path: string,
  options: SectionOptions,
  work: (lost: AbortSignal) => Promise<T>,
): Promise<T> {
  const lost = new AbortController();
  const release = await acquire(path, options, () =>
    lost.abort(new Error(`the lock ${path} was lost`)),
  );
  try {
    return await work(lost.signal);
  } finally {
    if (!lost.signal.aborted) await release();
  }
}

async function acquire(
  path: string,
  { clock, signal, refreshMs, onWaiting }: SectionOptions,
  onCompromised: () => void,
) {
  for (let told = false; ;) {
    if (signal?.aborted === true) throw reasonOf(signal);
    try {
      // Stale after 10 s, the library's default: what a sleeper may lose is guarded by the kernel lock as well.
      return await lockfile.lock(path, {
        realpath: false,
        onCompromised,
        update: refreshMs ?? 5_000,
      });
    } catch (error) {
      if (errorCode(error) !== 'ELOCKED') throw error;
      if (!told) onWaiting?.();
      told = true;
      await clock.sleep(200, signal);
    }
  }
}
