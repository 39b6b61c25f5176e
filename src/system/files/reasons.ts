/** Why the system refuses something, in words. */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { errorCode } from '../failure.ts';
import { linkStatsIfThere } from '../stats.ts';

/** Of files, by the code of Node's error. */
const ofFiles = {
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: "the owner's disk quota is used up",
  EIO: 'input/output error',
  EFBIG: 'the file system does not allow files that large',
  ENOENT: 'no such file or directory',
  ENOTDIR: 'a part of the path is not a directory',
  EISDIR: 'it is a directory',
  EEXIST: 'it already exists',
  ELOOP: 'its symbolic links form a loop',
  ENAMETOOLONG: 'its name is too long',
};

/** Whatever was asked for, by the code of Node's error. */
export const usualReasons: Readonly<Record<string, string>> = {
  ...ofFiles,
  ERR_FS_EISDIR: ofFiles.EISDIR,
  EMFILE: 'too many open files',
  ENFILE: 'too many open files on this machine',
  ENOMEM: 'out of memory',
  EAGAIN: 'too many processes',
  ETIMEDOUT: 'timed out',
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EPIPE: 'connection closed',
  EHOSTUNREACH: 'no route to host',
  ENETUNREACH: 'network unreachable',
  ENOTFOUND: 'unknown host',
  EAI_AGAIN: 'the name server does not respond',
};

/** What helps where no more files can be opened, by the code of Node's error. */
export const toOpenMore: Readonly<Record<string, string>> = {
  EMFILE: 'Raise the limit of open files: ulimit -n',
  ENFILE: 'Quit programs that keep many files open.',
};

/** Why something could not be written, by the code of Node's error. */
export const reasons: Readonly<Record<string, string>> = {
  ...ofFiles,
  ENOENT: 'a part of the path does not exist, or is a symbolic link to nothing',
  EEXIST: 'a file or a broken symbolic link is in its place',
  EISDIR: 'a directory is in its place',
};

/** ENOSPC with blocks left. */
export const noInodes = 'the file system has no inodes left (df -i)';

/** Why the system refused, in words, by an error or its code; the code where there are none for it, and the message of an error without one. */
export function refusal(error: unknown): string {
  const code = typeof error === 'string' ? error : errorCode(error);
  if (code !== undefined) return usualReasons[code] ?? code;
  return error instanceof Error ? error.message : String(error);
}

/** Node says ENOENT whatever keeps it from making several directories: a read-only file system, say. The outermost says what it is. */
export function noDirectoryFor(path: string, otherwise: unknown): unknown {
  const parent = dirname(path);
  if (parent !== path && linkStatsIfThere(parent) === undefined)
    return noDirectoryFor(parent, otherwise);
  try {
    mkdirSync(path, 0o700);
    return otherwise;
  } catch (error) {
    return errorCode(error) === 'EEXIST' ? otherwise : error;
  }
}
