/** What keeps us from a path: the directory in which we may not look, or make anything. */
import { accessSync, constants, statSync, type Stats } from 'node:fs';
import { dirname } from 'node:path';
import { Exit, errorCode, type Failure } from '../failure.ts';
import { shellWord } from '../shell.ts';
import { refusal, toOpenMore } from './reasons.ts';
import { linkStatsIfThere } from '../stats.ts';

/** The innermost directory above a path that is there, as far as that can be seen. */
function folderAbove(path: string): { readonly folder: string; readonly stats: Stats } | undefined {
  for (let folder = dirname(path); ; folder = dirname(folder))
    try {
      const stats = statSync(folder);
      if (stats.isDirectory()) return { folder, stats };
      return undefined;
    } catch (error) {
      if (errorCode(error) === undefined) throw error;
      if (folder === dirname(folder)) return undefined;
    }
}

/** Why nothing can be made in a directory, as the system says it; undefined where something can. */
function whyBarred(folder: string): Error | undefined {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    if (!(error instanceof Error) || errorCode(error) === undefined) throw error;
    return error;
  }
}

/** The error that a write of that path would meet in the directories above it; found without writing. */
export function writeError(path: string): Error | undefined {
  const above = folderAbove(path);
  return brokenLinkAbove(path) ?? (above && whyBarred(above.folder));
}

/** Why nothing can be made below a link that leads nowhere; undefined where there is none. */
function brokenLinkAbove(path: string): Error | undefined {
  const folder = dirname(path);
  try {
    statSync(folder);
    return undefined;
  } catch (error) {
    const isLink = linkStatsIfThere(folder)?.isSymbolicLink() === true;
    if (isLink && error instanceof Error && errorCode(error) === 'ENOENT') return error;
    return folder === dirname(folder) ? undefined : brokenLinkAbove(folder);
  }
}

/** The directory that has to let us in before a path can be written, with its owner where that is another; undefined where it is none. */
function barrierOf(path: string): { folder: string; owner?: number } | undefined {
  const above = folderAbove(path);
  if (above === undefined || whyBarred(above.folder) === undefined) return undefined;
  const { uid } = above.stats;
  return { folder: above.folder, ...(uid !== process.geteuid?.() && { owner: uid }) };
}

/** What helps where a path cannot be written. */
export const barrierWords = (path: string): string => wordsFor(barrierOf(path));

/** What helps against a barrier; where there is none, the file itself is in the way. */
export function wordsFor(barrier: ReturnType<typeof barrierOf>): string {
  if (barrier === undefined)
    return 'Check the owner and permissions of the file and of its directory.';
  const { folder, owner } = barrier;
  return owner === undefined
    ? `Check the permissions of ${folder}.`
    : `${folder} belongs to ${owner === 0 ? 'root' : `user ${owner}`}. Choose another directory, or make it yours if it should be (sudo chown).`;
}

/** A part of the path is not what it has to be. */
const inTheWay = new Set(['ENOENT', 'ENOTDIR', 'EISDIR', 'EEXIST', 'ELOOP']);

/** What helps where writing to a path ended with that code of the system. */
export function whatHelps(code: string, path: string): string {
  if (code === 'ENOSPC' || code === 'EDQUOT') return 'Free some space, then try again.';
  if (code === 'EROFS') return 'Choose another directory, or mount the file system for writing.';
  if (code === 'EIO') return 'Check the disk for errors.';
  if (code === 'ENAMETOOLONG') return 'Choose a shorter path.';
  if (code === 'EFBIG')
    return 'Choose a directory on another file system, or raise the limit of file sizes (ulimit -f).';
  if (inTheWay.has(code)) return 'Check the path, and remove whatever is in the way.';
  return barrierWords(path);
}

/** Of a file that is there, by the system's error or its code: where it is another user's, what can be done about that. */
export function cannotRead(path: string, error: unknown): Failure {
  const code = typeof error === 'string' ? error : errorCode(error);
  if (code === undefined) throw error;
  return unread(path, code, notPermitted.has(code) ? otherOwner(path) : undefined);
}

/** Owner and mode; macOS says EPERM where its protection of privacy is in the way. */
const notPermitted = new Set(['EACCES', 'EPERM']);

/** `why`: the system's code, or words. `other`: who may read it, where that is another user. */
export const unread = (path: string, why: string, other?: OtherOwner): Failure => ({
  kind: 'cannot-read',
  message: `Cannot read ${path}: ${refusal(why)}.`,
  hint: other === undefined ? whatLetsRead(why) : askOwner(other),
  exit: Exit.noPermission,
});

function whatLetsRead(why: string): string {
  if (why === 'EIO') return whatHelps(why, '');
  if (why === 'EPERM')
    return 'Check its owner and mode. On macOS, also check that your terminal may read it: System Settings > Privacy & Security > Full Disk Access.';
  if (why === 'EACCES') return 'Check its owner and mode.';
  return toOpenMore[why] ?? 'Check what it is, and move it away.';
}

/** Whose a file is, or the innermost directory above it that can be seen. */
interface OtherOwner {
  readonly uid: number;
  readonly path: string;
  /** A directory above it is ours; or all of its directory is that user's, such as the state directory of a declared builder. */
  readonly place: 'ours' | 'theirs' | 'other';
}

function askOwner({ uid, path, place }: OtherOwner): string {
  const owner = uid === 0 ? 'root' : `the user with ID ${uid}`;
  if (place === 'ours')
    return `${path} belongs to ${owner}. If it should be yours, run: sudo chown "$USER" ${shellWord(path)}`;
  return place === 'theirs'
    ? `It belongs to ${owner}. Run the command as that user: sudo -u '#${uid}' linuxkit-builder ...`
    : `It belongs to ${owner}. Check its mode.`;
}

/** Undefined where it is ours, and where nothing can be seen. */
function otherOwner(path: string): OtherOwner | undefined {
  const above = folderAbove(path);
  const seen = tryStat(path);
  const uid = (seen ?? above?.stats)?.uid;
  const me = process.geteuid?.();
  if (above === undefined || uid === undefined || uid === me) return undefined;
  const isOurs = me !== 0 && foldersAbove(path).some((folder) => tryStat(folder)?.uid === me);
  const isTheirs = uid !== 0 && above.stats.uid === uid;
  const place = isOurs ? 'ours' : isTheirs ? 'theirs' : 'other';
  return { uid, path: seen === undefined ? above.folder : path, place };
}

/** Those that a path lies in by its name, from the innermost to the root. */
export const foldersAbove = (path: string): string[] =>
  dirname(path) === path ? [] : [dirname(path), ...foldersAbove(dirname(path))];

function tryStat(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    return undefined;
  }
}
