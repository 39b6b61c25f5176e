/** Whether anybody but root can change what root is to run. */
import { lstatSync, realpathSync } from 'node:fs';
import { dirname } from 'node:path';

/** A file, by both its names where a link leads to it, and all that it is in. */
export function pathsTo(path: string): string[] {
  const upFrom = (name: string): string[] =>
    dirname(name) === name ? [name] : [name, ...upFrom(dirname(name))];
  return [...upFrom(path), ...upFrom(realpathSync(path))];
}

/** Root is not its only owner, or others may write: not what a link says of itself, and in a sticky directory only their own. */
export function isLoose(path: string): boolean {
  const { uid, mode } = lstatSync(path);
  const isSticky = (mode & 0o1000) !== 0;
  return uid !== 0 || ((mode & 0o022) !== 0 && (mode & 0o170000) !== 0o120000 && !isSticky);
}
