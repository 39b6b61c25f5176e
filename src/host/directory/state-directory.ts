/** Whose a state directory is: whether a verb may work in it. */
import { chmodSync, existsSync, lstatSync, realpathSync, statSync, type Stats } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Layout } from '../../config/layout.ts';
import { barrierWords } from '../../system/files/barrier.ts';
import { errorCode, Exit, Failed, type Failure } from '../../system/failure.ts';
import { reasons } from '../../system/files/reasons.ts';
import { makePrivate, namesIfThere, readIfThere } from '../../system/files/files.ts';
import { plainText } from '../../system/plain-text.ts';
import { quotedWord } from '../../system/shell.ts';
import { advice, ours } from '../../system/advice.ts';

/**
 * What a verb does there: looks; asks the daemon by its socket; ends it, and what it has left; makes the directory right first, or says what
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

/** Undefined where the directory is the user's own, and nobody else can write there; and where there is none. */
export function distrustOf(layout: Place): Distrust | undefined {
  const { root } = layout;
  const me = process.geteuid?.();
  for (const path of workedIn(layout)) {
    const stats = lookAt(path);
    if (stats === undefined) continue;
    if (stats.uid !== me) return { kind: 'foreign', path, uid: stats.uid };
    if ((stats.mode & 0o022) !== 0) return plantedIn(layout) ?? { kind: 'open', path };
  }
  const above = aboveOf(root).find((path) => isOthers(path, me));
  return above === undefined ? undefined : { kind: 'below-others', path: above };
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

/** The same of those that a daemon works in. Failed as well where that is not enough; it may be mended while a daemon waits. */
export function closeDirectories(layout: Place): void {
  for (const path of workedIn(layout))
    if (lookAt(path) !== undefined) closeDirectory(path, layout, makePrivate);
  const distrust = distrustOf(layout);
  if (distrust !== undefined)
    throw new Failed({
      ...distrusted(distrust, layout.root),
      recovery: 'wait',
      blocksDaemon: true,
    });
}

/** What neither we nor root alone can have put there, in a directory that is made right before it is used: settings name programs that we run. */
function plantedIn(layout: Place): Distrust | undefined {
  const mayHave = [0, process.geteuid?.()];
  for (const directory of workedIn(layout))
    for (const name of namesIfThere(directory)) {
      const path = join(directory, name);
      const stats = lstatSync(path, { throwIfNoEntry: false });
      if (stats === undefined) continue;
      if (!mayHave.includes(stats.uid)) return { kind: 'planted', path, uid: stats.uid };
      if (stats.isFile() && (stats.mode & 0o022) !== 0) return { kind: 'loose', path };
    }
  return undefined;
}

/** Failed `cannot-read` where even that is not for us. */
function lookAt(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
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

/** The directories that it is in, by both its names where a link leads to it. */
function aboveOf(path: string): string[] {
  const names = existsSync(path) ? [path, realpathSync(path)] : [path];
  const above = (name: string): string[] =>
    dirname(name) === name ? [] : [dirname(name), ...above(dirname(name))];
  return [...new Set(names.flatMap(above))];
}

/** Neither the user's own nor root's, or writable by others. In a sticky directory nobody but its owner moves what is somebody's. */
function isOthers(path: string, me: number | undefined): boolean {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return false;
  const { uid, gid, mode } = stats;
  if (uid !== 0 && uid !== me && !isUnmapped(uid)) return true;
  // The group of one user alone, as Linux makes it with the user and with the same number: a umask of 002 leaves it the right to write.
  const isPrivate = me !== 0 && uid === me && gid === me;
  return (
    !stats.isSymbolicLink() && (mode & (isPrivate ? 0o002 : 0o022)) !== 0 && (mode & 0o1000) === 0
  );
}

/** In a sandbox with few users, such as bubblewrap's, the host's root is shown as nobody (user_namespaces(7)). */
const isUnmapped = (uid: number): boolean =>
  uid === 65534 &&
  process.platform === 'linux' &&
  !/^ *0 +0 +4294967295$/m.test(readIfThere('/proc/self/uid_map') ?? '');

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

/** Fails where a verb would obey what others have put there. What a look shows is said to be theirs. */
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
