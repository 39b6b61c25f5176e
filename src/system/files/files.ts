/** Files that are read back by others: written whole or not at all. */
import {
  constants,
  copyFileSync,
  linkSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  chmodSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import { Failed, errorCode } from '../failure.ts';
import { cannotRead, unread } from './barrier.ts';
import { cannotWrite } from './cannot-write.ts';
import { readRegular } from './others-files.ts';
import { noDirectoryFor } from './reasons.ts';
import { statsIfThere, isNotThere } from '../stats.ts';

interface WriteOptions {
  /** Permission bits; default 0600: our files hold keys and paths. */
  readonly mode?: number;
  /** Flush to the medium before the rename; default true. False for what is rewritten all the time. */
  readonly durable?: boolean;
  /** It is ours, and nobody else writes it now: what a killed writer left beside it is removed. Default false. */
  readonly alone?: boolean;
}

/** Replaces path by a complete file: a temporary file beside it, then rename. A reader sees old or new, never half. */
export function writeWhole(
  path: string,
  data: string | Uint8Array,
  options: WriteOptions = {},
): void {
  try {
    if (options.alone === true) removeUnfinished(path);
    replace(path, data, options);
  } catch (error) {
    throw new Failed(cannotWrite(path, error), { cause: error });
  }
}

function replace(path: string, data: string | Uint8Array, options: WriteOptions): void {
  const { mode = 0o600, durable = true } = options;
  try {
    // Its own write is one system call, which the last bytes of room or a limit cut short without an error.
    const tmpfileCreated = (unfinished: string) => {
      // Opened by its name, which a mode without `w` forbids to all but root. It has its own mode when it is whole.
      if ((mode & 0o200) === 0) chmodSync(unfinished, 0o600);
      writeFileSync(unfinished, data, { flag: 'r+' });
    };
    writeFileAtomic.sync(path, '', { mode, fsync: durable, tmpfileCreated });
  } catch (error) {
    // A mount point cannot be replaced, and is somebody's arrangement: its file is written as it is.
    if (errorCode(error) !== 'EBUSY') throw error;
    overwrite(path, data);
  }
}

/** In place; with what was there before where the new does not go in whole. */
function overwrite(path: string, data: string | Uint8Array): void {
  const before = readFileSync(path);
  try {
    writeFileSync(path, data, { flush: true });
  } catch (error) {
    writeFileSync(path, before, { flush: true });
    throw error;
  }
}

/** Removes a file; one that is a mount point stays, empty. */
export function removeFile(path: string): void {
  try {
    rmSync(path);
  } catch (error) {
    if (errorCode(error) !== 'EBUSY') throw error;
    overwrite(path, '');
  }
}

function removeUnfinished(path: string): void {
  const folder = dirname(path);
  for (const name of readdirSync(folder))
    if (fileOfUnfinished(name) === basename(path)) rmSync(join(folder, name), { force: true });
}

/**
 * The name of the file which a killed `writeWhole` had not yet given its name; undefined for any other. write-file-atomic adds 32 bits
 * in decimal; where they are few the file stays, since somebody's copy may have the date there.
 */
export const fileOfUnfinished = (name: string): string | undefined =>
  /^(.+)\.\d{9,10}$/.exec(name)?.[1];

/** Makes a directory of ours with its parents, private to the user. */
export function makeDirectory(path: string, mode = 0o700): void {
  try {
    mkdirSync(path, { recursive: true, mode });
  } catch (error) {
    const reason = errorCode(error) === 'ENOENT' ? noDirectoryFor(path, error) : error;
    throw new Failed(cannotWrite(path, reason), { cause: error });
  }
}

/** Of a directory that its group may pass through, and neither read nor write: to a socket in it (`prepare --shared`). */
export const isPassage = (mode: number): boolean => (mode & 0o077) === 0o010;

/** Takes from others what they may do in a directory of ours, but for a passage; one of another user is left as it is. */
export function makePrivate(path: string): void {
  try {
    const { mode, uid } = statSync(path);
    const isOpen = (mode & 0o077) !== 0 && !isPassage(mode);
    if (isOpen && uid === process.geteuid?.()) chmodSync(path, 0o700);
  } catch (error) {
    throw new Failed(cannotWrite(path, error), { cause: error });
  }
}

/**
 * Puts a file's bytes under another name, whole or not at all. `canLink`: as a second name of the same file, which costs nothing,
 * where the file system has such; only for files that nobody writes into.
 */
export function putCopy(
  from: string,
  to: string,
  { canLink }: { readonly canLink: boolean },
): void {
  const unfinished = `${to}.new`;
  discard(unfinished);
  try {
    if (!canLink || !isLinked(from, unfinished))
      copyFileSync(from, unfinished, constants.COPYFILE_FICLONE);
    renameSync(unfinished, to);
  } catch (error) {
    throw new Failed(cannotWrite(to, error), { cause: error });
  } finally {
    // rename(2) leaves it where both are names of one file already.
    discard(unfinished);
  }
}

function isLinked(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch {
    // There is one already, or the file system has no hard links.
    return false;
  }
}

/** Removes what may be there. What cannot be removed stays: whoever needs its place will find it there, and say so. */
export function discard(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
  }
}

/** Names of what is in a directory; none where it is not there, or is no directory. Failed `cannot-read`. */
export function namesIfThere(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (isNotThere(error)) return [];
    throw new Failed(cannotRead(directory, error), { cause: error });
  }
}

/** The text of a file, or undefined if there is none. Failed `cannot-read`, also of what might never end: the directory may be another user's. */
export function readIfThere(path: string): string | undefined {
  const answer = tryRead(path);
  if (answer?.kind === 'unreadable') throw new Failed(unread(path, answer.why));
  return answer?.text;
}

/** The same for whoever says himself why something that is there cannot be read; Failed where the system says why. */
export function tryRead(path: string): ReturnType<typeof readRegular> | undefined {
  try {
    return readRegular(path, 'utf8');
  } catch (error) {
    if (isNotThere(error)) return undefined;
    throw new Failed(cannotRead(path, error), { cause: error });
  }
}

/** The size of a file in bytes, or undefined if there is none. */
export const sizeIfThere = (path: string): number | undefined => statsIfThere(path)?.size;
