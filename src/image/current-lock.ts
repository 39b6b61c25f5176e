/** The lock that counts: the program's own, or one that `image update` has made since. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Failed } from '../system/failure.ts';
import { isWithin } from '../vm/floors.ts';
import { newestIndex, readLock, type Lock } from './image-lock.ts';
import type { Arch, Recipe } from './recipe.ts';

/** The two locks of which one counts. */
export interface LockPaths {
  /** The program's own, which is the same for everybody. */
  readonly own: string;
  /** In the state directory; there after an update. */
  readonly updated: string;
}

/** The one with the newer indexes; an updated one only as long as it fits the recipe. */
export function currentLock({ own, updated }: LockPaths, recipe: Recipe): Lock {
  const later = existsSync(updated) ? usable(updated) : undefined;
  if (later === undefined || !fits(later, recipe)) return readLock(own);
  const ours = usable(own);
  return ours === undefined || newestIndex(later.suites) > newestIndex(ours.suites) ? later : ours;
}

/** Where a new lock goes: only who has the sources of the program renews the lock that it comes with. */
export const lockToRenew = ({ own, updated }: LockPaths, assets: string): string =>
  existsSync(join(assets, 'src/image/recipe.ts')) ? own : updated;

/** Whether a lock was made for a recipe: the same names are asked for, and nothing is below the floors or beyond a series. */
const fits = (lock: Lock, recipe: Recipe): boolean =>
  sorted(lock.without) === sorted(recipe.without) &&
  (['amd64', 'arm64'] satisfies Arch[]).every((arch) => {
    const { requested, packages } = lock.architectures[arch];
    const versions = Object.fromEntries(packages.map(({ name, version }) => [name, version]));
    return (
      sorted(requested) === sorted(recipe.packages(arch)) &&
      recipe.floors(arch).every((floor) => isWithin(versions[floor.package] ?? '', floor))
    );
  });

/** Undefined for one that is missing or broken. */
export function usable(path: string): Lock | undefined {
  try {
    return readLock(path);
  } catch (error) {
    if (error instanceof Failed) return undefined;
    throw error;
  }
}

const sorted = (names: readonly string[]): string => [...names].sort().join(' ');
