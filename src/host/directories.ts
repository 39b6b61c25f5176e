/** The state directory and what is in it: whether it can be ours, and making it so. */
import { chmodSync, statSync, type Stats } from 'node:fs';
import type { Layout } from '../config/layout.ts';
import type { Problem } from '../config/problem.ts';
import { makeDirectory } from '../system/files.ts';

/** What stands in the way on the disk, as opposed to in the name (config/layout.ts). */
export function directoryProblems(root: string): Problem[] {
  const stats = lookAt(root);
  const problem = (message: string, hint: string): Problem[] => [
    { path: 'state directory', value: root, message, hint },
  ];
  if (stats === undefined) return [];
  if (!stats.isDirectory())
    return problem('is a file, not a directory', 'Move it away, or choose another with -d.');
  return stats.uid === process.geteuid?.()
    ? []
    : problem(
        `belongs to another user (uid ${stats.uid})`,
        'Run configure as the user who owns the daemon, or choose another directory with -d.',
      );
}

/** A directory that has to be made, or made private. */
export interface DirectoryChange {
  readonly path: string;
  readonly kind: 'make' | 'make-private';
}

/** What is to be done so that ours exist and nobody else can look into them. */
export function directoryChanges({ root, keys, state }: Layout): DirectoryChange[] {
  return [root, keys, state].flatMap((path): DirectoryChange[] => {
    const stats = lookAt(path);
    if (stats === undefined) return [{ path, kind: 'make' }];
    return (stats.mode & 0o077) === 0 ? [] : [{ path, kind: 'make-private' }];
  });
}

export function applyDirectoryChange({ path, kind }: DirectoryChange): void {
  if (kind === 'make') makeDirectory(path);
  else chmodSync(path, 0o700);
}

const lookAt = (path: string): Stats | undefined => statSync(path, { throwIfNoEntry: false });
