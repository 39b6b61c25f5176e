/** Why a file could not be written, and what helps. */
import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { Exit, errorCode } from '../failure.ts';
import { whatHelps } from './barrier.ts';
import { fileSizeLimit } from '../host/resource-limits.ts';
import { noInodes, reasons } from './reasons.ts';

/** A system error from writing, in words. */
export function cannotWrite(
  path: string,
  error: unknown,
  isOutOfInodes = lacksInodes,
  limitOf = fileSizeLimit,
) {
  const code = errorCode(error);
  if (code === undefined) throw error;
  const permission = code === 'EACCES' || code === 'EPERM' || code === 'EROFS';
  const lacksFiles = code === 'ENOSPC' && isOutOfInodes(path);
  const limit = code === 'EFBIG' ? tooLarge(limitOf()) : undefined;
  return {
    kind: 'cannot-write',
    message: `Cannot write ${path}: ${lacksFiles ? noInodes : (limit ?? reasons[code] ?? code)}.`,
    hint: lacksFiles ? 'Delete files on that file system, then try again.' : whatHelps(code, path),
    exit: permission ? Exit.noPermission : Exit.cannotCreate,
    // Room can come back; a read-only file system, a mode or a limit does not change by itself.
    recovery: permission || code === 'EFBIG' ? 'give-up' : 'retry',
    blocksDaemon: true,
  } as const;
}

/** EFBIG is a file system's, or that of a limit on this process, which has a number. */
function tooLarge(limit: number | undefined): string | undefined {
  if (limit === undefined) return undefined;
  const size = limit < MiB ? `${limit} bytes` : `${Math.floor(limit / MiB)} MiB`;
  return `files of more than ${size} are not allowed (ulimit -f)`;
}

const MiB = 1024 * 1024;

/** Whether a file system has room and no inode left, where it counts them; ENOSPC says the same of both. */
function lacksInodes(path: string): boolean {
  for (let place = path; ; place = dirname(place))
    try {
      const { files, ffree } = statfsSync(place);
      return files > 0 && ffree === 0;
    } catch (error) {
      if (errorCode(error) !== 'ENOENT' || place === dirname(place)) return false;
    }
}
