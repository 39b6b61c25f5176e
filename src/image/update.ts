/** `image build --update`: a new lock from what the mirror's signed index has today, for both architectures. */
import type { Lock } from './lock.ts';
import type { Arch, Recipe } from './recipe.ts';
import { fetchRelease } from './release.ts';
import type { SquashfsTool } from './squashfs.ts';
import { changesBetween, resolveAfresh, type SupplyOptions } from './supply.ts';

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

/** What is new in a lock, for people: a line an architecture. */
export function describeRenewal(before: Lock | undefined, after: Lock): string[] {
  const dated = `The lock is of ${after.indexDate} now`;
  if (before === undefined) return [`${dated}; there was none.`];
  return [
    before.indexDate === after.indexDate ? `${dated}, as before.` : `${dated}.`,
    ...(['amd64', 'arm64'] as const).map((arch) => {
      const { packages } = after.architectures[arch];
      const changes = changesBetween(before.architectures[arch].packages, packages);
      return `${arch}: ${changes.length === 0 ? 'no package changed' : changes.join(', ')}.`;
    }),
  ];
}
