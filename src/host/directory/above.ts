/** What is above a directory: whoever can change that can put another in its place. */
import { existsSync, lstatSync, realpathSync } from 'node:fs';
import { dirname } from 'node:path';
import { readIfThere } from '../../system/files/files.ts';

/** The first of the directories above these, and of the links to them, that others can change. What is in another of these is looked at as that. */
export function othersAbove(paths: readonly string[]): string | undefined {
  const me = process.geteuid?.();
  const names = paths.flatMap(namesOf);
  const above = names.flatMap(aboveOf).filter((path) => !names.includes(path) || isLink(path));
  return [...new Set(above)].find((path) => isOthers(path, me));
}

/** Both, where a link leads to it. */
const namesOf = (path: string): readonly string[] =>
  existsSync(path) ? [path, realpathSync(path)] : [path];

const aboveOf = (path: string): readonly string[] =>
  dirname(path) === path ? [] : [dirname(path), ...aboveOf(dirname(path))];

const isLink = (path: string): boolean =>
  lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;

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
