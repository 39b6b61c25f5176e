/** What is above a directory: whoever can change that can put another in its place. */
import { dirname, join, resolve } from 'node:path';
import { foldersAbove } from '../../system/files/barrier.ts';
import { readIfThere } from '../../system/files/files.ts';
import { linkOf } from '../../system/files/final-target.ts';
import { linkStatsIfThere } from '../../system/stats.ts';

/** The first of the directories above these, and of the links to them, that others can change. What is in another of these is looked at as that. */
export function othersAbove(paths: readonly string[]): string | undefined {
  const me = process.geteuid?.();
  const names = paths.flatMap((path) => namesOf(path));
  const above = names
    .flatMap((name) => [name, ...foldersAbove(name)])
    .filter((path) => !names.includes(path) || linkOf(path) !== undefined);
  return [...new Set(above)].find((path) => isOthers(path, me));
}

/** Linux follows so many links on the way to a file (path_resolution(7)), macOS fewer. */
const mostLinks = 40;

/** All by which the system comes to it: one more for each link on the way, the outermost first. */
function namesOf(path: string, links = mostLinks): readonly string[] {
  const link = [path, ...foldersAbove(path)].findLast((each) => linkOf(each) !== undefined);
  if (link === undefined || links === 0) return [path];
  const target = resolve(dirname(link), linkOf(link) ?? '');
  return [path, ...namesOf(join(target, path.slice(link.length)), links - 1)];
}

/** Neither the user's own nor root's, or writable by others. In a sticky directory nobody but its owner moves what is somebody's. */
function isOthers(path: string, me: number | undefined): boolean {
  const stats = linkStatsIfThere(path);
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
