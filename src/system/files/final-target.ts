/** Where links lead. */
import { readlinkSync, realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

/** Where a path leads in the end, also when nothing is there: by links of its own, and of the directories above it. */
export function finalTarget(path: string, links = 40): string {
  try {
    return realpathSync(path);
  } catch {
    const next = links > 0 ? linkOf(path) : undefined;
    if (next !== undefined) return finalTarget(resolve(dirname(path), next), links - 1);
    const above = dirname(path);
    return above === path ? path : join(finalTarget(above, links), basename(path));
  }
}

/** The same of what is there; the path itself where nothing is, or nothing to be seen. */
export function realOrItself(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** What a link says; undefined of anything else. */
export function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
