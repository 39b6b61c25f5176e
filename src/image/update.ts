/** `image build --update`: a new lock from what the mirror's signed index has today, for both architectures. */
import type { Lock } from './lock.ts';
import type { Arch, Recipe } from './recipe.ts';
import { fetchRelease } from './release.ts';
import type { SquashfsTool } from './squashfs.ts';
import { resolveAfresh, type SupplyOptions } from './supply.ts';

export const suite = 'trixie';

/** A lock for the recipe. `previous` is the one that it replaces: an index older than its own is refused. */
export async function freshLock(
  recipe: Recipe,
  squashfs: SquashfsTool,
  previous: Lock | undefined,
  options: SupplyOptions,
): Promise<Lock> {
  const notBefore = previous === undefined ? undefined : new Date(previous.indexDate);
  const release = await fetchRelease(options.mirror, suite, options.keyring, {
    ...options,
    notBefore,
  });
  const { without } = recipe;
  const of = (arch: Arch) =>
    resolveAfresh(release, arch, recipe.packages(arch), { ...options, without });
  return {
    suite,
    indexDate: release.date.toISOString(),
    without: [...without],
    squashfs: { ...squashfs, options: [...squashfs.options] },
    architectures: { amd64: await of('amd64'), arm64: await of('arm64') },
  };
}
