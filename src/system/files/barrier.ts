/** What keeps us from a path: the directory in which we may not look, or make anything. */
import { accessSync, constants, statSync, type Stats } from 'node:fs';
import { dirname } from 'node:path';
import { errorCode } from '../failure.ts';

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

/** True where nothing can be made in a directory. */
function isBarred(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
    return false;
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    return true;
  }
}

/** The directory that has to let us in before a path can be written, with its owner where that is another; undefined where it is none. */
export function barrierOf(path: string): { folder: string; owner?: number } | undefined {
  const above = folderAbove(path);
  if (above === undefined || !isBarred(above.folder)) return undefined;
  const { uid } = above.stats;
  return { folder: above.folder, ...(uid !== process.geteuid?.() && { owner: uid }) };
}

/** What helps where a path cannot be written. */
export function barrierWords(path: string): string {
  const barrier = barrierOf(path);
  if (barrier === undefined) return 'Check its owner and its mode, and those of its directory.';
  const { folder, owner } = barrier;
  return owner === undefined
    ? `Check the mode of ${folder}.`
    : `${folder} belongs to ${owner === 0 ? 'root' : `the user with number ${owner}`}. Give it back to yourself, as with sudo chown, or choose another place.`;
}
