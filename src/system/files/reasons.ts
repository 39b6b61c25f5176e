/** Why the system refuses to write somewhere, in words. */
import { lstatSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { errorCode } from '../failure.ts';

/** By the code of Node's error. */
export const reasons: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  ENOTDIR: 'a part of the path is not a directory',
  ENOENT: 'a part of the path is not there, or a link that leads nowhere',
  EEXIST: 'a link that leads nowhere, or a file, is in its place',
  ELOOP: 'its links lead to each other',
  EISDIR: 'a directory is in its place',
  EDQUOT: 'the quota of its owner is used up',
  EIO: 'the disk has a fault (input/output error)',
  EFBIG: 'files that large are not allowed there',
};

export const noInodes = 'its file system can hold no more files (df -i)';

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
