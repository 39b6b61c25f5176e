/** `image build --update`: a new lock from what the mirrors' signed indexes have today, for both architectures. */
import { changesBetween } from './package-changes.ts';
import { fetchIndexes, type IndexOptions } from './debian/indexes.ts';
import { compareVersions } from '../vm/debian-version.ts';
import { Exit, Failed, type Failure } from '../system/failure.ts';
import type { Lock, LockedPackages, LockedSuite } from './image-lock.ts';
import type { Arch, Recipe } from './recipe.ts';
import type { SquashfsTool } from './tree/squashfs-tool.ts';
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
  const next: Lock = {
    version: 2,
    suites: [...indexes.suites],
    without: [...recipe.without],
    squashfs: { ...squashfs, options: [...squashfs.options] },
    architectures: { amd64: await of('amd64'), arm64: await of('arm64') },
  };
  if (previous !== undefined) refuseStepBack(previous, next);
  return next;
}

/** Whoever keeps the security archive from us is not to have us go back to what that has mended. */
function refuseStepBack(before: Lock, after: Lock): void {
  const isLost = ({ codename }: LockedSuite) =>
    after.suites.every((each) => each.codename !== codename);
  const lost = before.suites.filter(isLost);
  const older = architectureNames.flatMap((arch) => {
    const known = new Map(
      before.architectures[arch].packages.map(({ name, version }) => [name, version]),
    );
    return after.architectures[arch].packages.flatMap(({ name, version }) => {
      const was = known.get(name) ?? version;
      return compareVersions(version, was) < 0 ? [`${name} ${version} (was ${was})`] : [];
    });
  });
  if (lost.length > 0 && older.length > 0) throw new Failed(stepBack(lost, [...new Set(older)]));
}

export const stepBack = (lost: readonly LockedSuite[], older: readonly string[]): Failure => ({
  kind: 'update-steps-back',
  message: `Without ${lost.map(({ codename }) => codename).join(' and ')} these packages would become older: ${older.join(', ')}. Nothing was changed.`,
  hint: 'Try again later, or use another mirror of the security archive with --security-mirror URL.',
  exit: Exit.unavailable,
});

const architectureNames = ['amd64', 'arm64'] as const satisfies readonly Arch[];

/** What is new in a lock, for people: a line for its suites and one for each architecture. */
export function describeRenewal(before: Lock | undefined, after: Lock): string[] {
  const suites = after.suites.map(describeSuite).join(', ');
  if (before === undefined) return [`Created the lock from ${suites}.`];
  const isSame = JSON.stringify(before.suites) === JSON.stringify(after.suites);
  return [
    isSame ? `The lock still uses ${suites}.` : `The lock now uses ${suites}.`,
    ...architectureNames.map((arch) => {
      const { packages } = after.architectures[arch];
      const changes = changesBetween(before.architectures[arch].packages, packages);
      return `${arch}: ${changes.length === 0 ? 'no package changed' : changes.join(', ')}.`;
    }),
  ];
}

const describeSuite = ({ codename, indexDate, expired }: Lock['suites'][number]): string =>
  `${codename} ${indexDate}${expired === undefined ? '' : ` (valid until ${expired})`}`;
