/** Whose a state directory is: whether a command may work in it. */
import { chmodSync, type Stats } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Layout } from '../../config/layout.ts';
import { barrierWords, foldersAbove } from '../../system/files/barrier.ts';
import { errorCode, Exit, Failed, type Failure } from '../../system/failure.ts';
import { reasons } from '../../system/files/reasons.ts';
import { makePrivate, namesIfThere } from '../../system/files/files.ts';
import { plainText } from '../../system/plain-text.ts';
import { quotedWord } from '../../system/shell.ts';
import { advice, ours } from '../../system/advice.ts';
import { othersAbove } from './above.ts';
import { statsIfThere, linkStatsIfThere } from '../../system/stats.ts';

/**
 * What a command does there: looks; asks the daemon by its socket; ends it, and what it has left; makes the directory right first, or says what
 * is wrong; waits until somebody has made it right, as a daemon does that would only be started again; or changes what is in it.
 */
export type Use = 'look' | 'ask' | 'end' | 'mend' | 'wait' | 'change';

/** What speaks against working in a directory as who we are. */
export type Distrust =
  | { readonly kind: 'foreign'; readonly path: string; readonly uid: number }
  /** Others can put what they like there. */
  | { readonly kind: 'open'; readonly path: string }
  /** They have, as it seems: this is in a directory that they can write, and not ours. */
  | { readonly kind: 'planted'; readonly path: string; readonly uid: number }
  /** The same of a file of ours, which they can write. */
  | { readonly kind: 'loose'; readonly path: string }
  /** Others can put another directory in its place. */
  | { readonly kind: 'below-others'; readonly path: string };

/** Undefined where the directory is the user's own, and nobody else can write there; and where there is none. Failed `directory-is-file` where there can be none. */
export function distrustOf(layout: Place): Distrust | undefined {
  refuseFile(layout);
  const me = process.geteuid?.();
  for (const path of workedIn(layout)) {
    const stats = lookAt(path);
    if (stats === undefined) continue;
    if (stats.uid !== me) return { kind: 'foreign', path, uid: stats.uid };
    if ((stats.mode & 0o022) !== 0) return plantedIn(layout) ?? { kind: 'open', path };
  }
  return belowOthers(layout);
}

/** A link in it, of the user's own, may lead below others as well. */
function belowOthers(layout: Place): Distrust | undefined {
  const path = othersAbove(workedIn(layout));
  return path === undefined ? undefined : { kind: 'below-others', path };
}

type Place = Pick<Layout, 'root' | 'state' | 'keys' | 'images' | 'downloads'>;

/** The directories from which something is run, booted or believed. */
const workedIn = ({ root, state, keys, images, downloads }: Place): readonly string[] => [
  root,
  state,
  keys,
  images,
  downloads,
];

/**
 * Closes a directory of ours to others. Until then whoever could write in it could put something there, however lately it was looked at: Failed
 * `directory-not-trusted` where somebody has. It is as it was then, so that the next who works in it finds the same.
 */
export function closeDirectory(path: string, layout: Place, close: (path: string) => void): void {
  const { mode } = lookAt(path) ?? { mode: 0 };
  close(path);
  const taken = mode & ~(lookAt(path)?.mode ?? 0);
  if ((taken & 0o022) === 0) return;
  try {
    const planted = plantedIn(layout);
    if (planted !== undefined) throw new Failed(distrusted(planted, layout.root));
  } catch (error) {
    chmodSync(path, mode & 0o7777);
    throw error;
  }
}

/**
 * The same of those that a daemon works in. Failed as well where that is not enough; it may be mended while a daemon waits. Where others can
 * put a link in its place none is closed: it would be any directory of ours, root's `/etc` as well.
 */
export function closeDirectories(layout: Place): void {
  refuseFile(layout);
  refuseForNow(belowOthers(layout), layout);
  for (const path of workedIn(layout))
    if (lookAt(path) !== undefined) closeDirectory(path, layout, makePrivate);
  refuseForNow(distrustOf(layout), layout);
}

function refuseForNow(distrust: Distrust | undefined, { root }: Place): void {
  if (distrust !== undefined)
    throw new Failed({ ...distrusted(distrust, root), recovery: 'wait', blocksDaemon: true });
}

/** What neither we nor root alone can have put there, in a directory that is made right before it is used: settings name programs that we run. */
function plantedIn(layout: Place): Distrust | undefined {
  const mayHave = [0, process.geteuid?.()];
  for (const directory of workedIn(layout))
    for (const name of namesIfThere(directory)) {
      const path = join(directory, name);
      const stats = linkStatsIfThere(path);
      if (stats === undefined) continue;
      if (!mayHave.includes(stats.uid)) return { kind: 'planted', path, uid: stats.uid };
      if (stats.isFile() && (stats.mode & 0o022) !== 0) return { kind: 'loose', path };
    }
  return undefined;
}

/** Failed `cannot-read` where even that is not for us. */
function lookAt(path: string): Stats | undefined {
  try {
    return statsIfThere(path);
  } catch (error) {
    const code = errorCode(error);
    if (code === undefined) throw error;
    throw new Failed(cannotLook(path, reasons[code] ?? code), { cause: error });
  }
}

const cannotLook = (path: string, why: string): Failure => ({
  kind: 'cannot-read',
  message: `Cannot access ${path}: ${why}.`,
  hint: barrierWords(path),
  exit: Exit.noPermission,
});

/** The file that stands where a directory should be, or where one above it should be; undefined where none does. */
export const fileInPlaceOf = (directory: string): string | undefined =>
  [directory, ...foldersAbove(directory)].find((path) => lookAt(path)?.isDirectory() === false);

function refuseFile({ root }: Place): void {
  const file = fileInPlaceOf(root);
  if (file !== undefined) throw new Failed(noPlaceFor(root, file));
}

export const noPlaceFor = (root: string, file: string): Failure => ({
  kind: 'directory-is-file',
  message:
    root === file
      ? `The state directory ${root} is a file, not a directory.`
      : `The state directory ${root} cannot exist: ${file} is a file, not a directory.`,
  hint: 'Choose another directory with -d, or move the file away.',
  exit: Exit.usage,
});

/** In a sentence. */
function describeDistrust(distrust: Distrust): string {
  const uid = 'uid' in distrust ? distrust.uid : 0;
  // Another user may have chosen the name, with a line of his own in it.
  const path = plainText(distrust.path);
  return {
    foreign: `${path} belongs to another user (uid ${uid})`,
    open: `${path} is writable by other users`,
    planted: `${path} belongs to another user (uid ${uid}), who could write to its directory`,
    loose: `${path} and the state directory are writable by other users`,
    'below-others': `${path}, which contains the state directory, can be changed by other users`,
  }[distrust.kind];
}

/** Fails where a command would obey what others have put there. What a look shows is said to be theirs. */
export function checkTrust(layout: Place, use: Use, warn: (line: string) => void): void {
  const distrust = distrustOf(layout);
  if (distrust === undefined || (['ask', 'mend', 'wait'].includes(use) && distrust.kind === 'open'))
    return;
  if (use === 'wait' && distrust.kind === 'below-others') return;
  // A daemon that runs there can still be stopped; root is not led by what others answer.
  const toDaemon = use === 'ask' || use === 'end';
  if (toDaemon && distrust.kind === 'below-others' && process.geteuid?.() !== 0) return;
  if (use === 'look') return warn(distrustWarning(distrust));
  throw new Failed(distrusted(distrust, layout.root));
}

/** Where it is only looked at. */
export const distrustWarning = (distrust: Distrust): string =>
  `Warning: ${describeDistrust(distrust)}. They may have changed what is shown here.`;

/** Each kind of distrust has its own way out. */
export function distrusted(distrust: Distrust, root: string): Failure {
  const hints = {
    foreign: advice`Run this as its owner: sudo -u '#${'uid' in distrust ? distrust.uid : 0}' linuxkit-builder ... -d ${quotedWord(root)}. If the owner is gone, an administrator can remove root's part of the builder: sudo ${ours('unconfigure', '--owner-gone')}`,
    open: `If everything in it is yours, run: chmod go-w ${quotedWord(distrust.path)}`,
    planted: `See what it is, and delete it. Look at config.json as well. Then run: chmod go-w ${quotedWord(dirname(distrust.path))}`,
    loose: `Check its contents. If they are yours, run: chmod go-w ${quotedWord(plainText(distrust.path))}`,
    'below-others': `If it is yours, run: chmod go-w ${quotedWord(distrust.path)}. Otherwise use -d to choose a directory whose parent directories nobody else can change.`,
  };
  return {
    kind: 'directory-not-trusted',
    message: `${describeDistrust(distrust)}. Nothing was changed.`,
    hint: hints[distrust.kind],
    exit: Exit.noPermission,
  };
}
