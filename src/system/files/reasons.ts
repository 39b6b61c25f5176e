/** Why the system refuses something, in words. */
import { lstatSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { errorCode } from '../failure.ts';

/** Whatever was asked for, by the code of Node's error. */
const usual: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  ENOENT: 'no such file or directory',
  ENOTDIR: 'a part of the path is not a directory',
  EISDIR: 'it is a directory',
  ERR_FS_EISDIR: 'it is a directory',
  ELOOP: 'its symbolic links form a loop',
  ENAMETOOLONG: 'its name is too long',
  EDQUOT: "the owner's disk quota is used up",
  EIO: 'input/output error of the disk',
  EFBIG: 'the file system does not allow files that large',
  EMFILE: 'too many open files',
  ENOMEM: 'out of memory',
  EAGAIN: 'too many processes',
  ETIMEDOUT: 'timed out',
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EPIPE: 'connection closed',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'network unreachable',
  ENOTFOUND: 'unknown host name',
  EAI_AGAIN: 'the name server does not answer',
};

/** Why something could not be written, by the code of Node's error. */
export const reasons: Readonly<Record<string, string>> = {
  ...usual,
  ENOENT: 'a part of the path does not exist, or is a symbolic link to nothing',
  EEXIST: 'a file or a broken symbolic link is in its place',
  EISDIR: 'a directory is in its place',
};

export const noInodes = 'the file system has no inodes left (df -i)';

/** Why the system refused, in words; the code where there are none for it, and the message of an error without one. */
export function refusal(error: unknown): string {
  const code = errorCode(error);
  if (code !== undefined) return usual[code] ?? code;
  return error instanceof Error ? error.message : String(error);
}

/** Node says ENOENT whatever keeps it from making several directories: a read-only file system, say. The outermost says what it is. */
export function noDirectoryFor(path: string, otherwise: unknown): unknown {
  const parent = dirname(path);
  if (parent !== path && lstatSync(parent, { throwIfNoEntry: false }) === undefined)
    return noDirectoryFor(parent, otherwise);
  try {
    mkdirSync(path, 0o700);
    return otherwise;
  } catch (error) {
    return errorCode(error) === 'EEXIST' ? otherwise : error;
  }
}
