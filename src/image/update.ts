/** `image build --update`: a new lock from what the mirrors' signed indexes have today, for both architectures. */
import { changesBetween } from './package-changes.ts';
import { fetchIndexes, type IndexOptions } from './debian/indexes.ts';
import type { Lock, LockedPackages } from './image-lock.ts';
import type { Arch, Recipe } from './recipe.ts';
import type { SquashfsTool } from './tree/squashfs.ts';
import { askedFor, resolvedOrThrow } from './supply.ts';

/** A lock for the recipe. `previous` is the one that it replaces: an index older than its own is refused. */
export async function freshLock(
  recipe: Recipe,
  squashfs: SquashfsTool,
  previous: Lock | undefined,
  options: IndexOptions,
): Promise<Lock> {
  const indexes = await fetchIndexes(recipe.releases, previous?.suites ?? [], options);
  const of = async (arch: Arch): Promise<LockedPackages> => {
    const asked = askedFor(recipe, arch);
    const releases = await indexes.releasesFor(arch);
    const packages = resolvedOrThrow({ ...asked, releases });
    return { requested: [...asked.requested], packages: [...packages] };
  };
  return {
    version: 2,
    suites: [...indexes.suites],
    without: [...recipe.without],
    squashfs: { ...squashfs, options: [...squashfs.options] },
    architectures: { amd64: await of('amd64'), arm64: await of('arm64') },
  };
}

/** What is new in a lock, for people: a line for its suites and one for each architecture. */
export function describeRenewal(before: Lock | undefined, after: Lock): string[] {
  const suites = after.suites.map(describeSuite).join(', ');
  if (before === undefined) return [`Created the lock from ${suites}.`];
  const isSame = JSON.stringify(before.suites) === JSON.stringify(after.suites);
  return [
    isSame ? `The lock still uses ${suites}.` : `The lock now uses ${suites}.`,
    ...(['amd64', 'arm64'] as const).map((arch) => {
      const { packages } = after.architectures[arch];
      const changes = changesBetween(before.architectures[arch].packages, packages);
      return `${arch}: ${changes.length === 0 ? 'no package changed' : changes.join(', ')}.`;
    }),
  ];
}

const describeSuite = ({ codename, indexDate, expired }: Lock['suites'][number]): string =>
  `${codename} ${indexDate}${expired === undefined ? '' : ` (valid until ${expired})`}`;
