/** From a lock to the packages' bytes in the download directory; what the mirrors have no longer, by way of their signed indexes. */
import { readFile } from 'node:fs/promises';
import { Exit, Failed, type Failure } from '../system/failure.ts';
import type { Request } from './debian/candidates.ts';
import { changesBetween } from './package-changes.ts';
import { debControl } from './debian/deb.ts';
import { downloadAll, type DownloadOptions } from './http/download.ts';
import { cachedPath, type FileToFetch } from './http/cached-file.ts';
import { cannotBeHad, fetchIndexes, type IndexOptions } from './debian/indexes.ts';
import type { Lock, LockedSuite } from './image-lock.ts';
import {
  packageOf,
  type IndexedPackage,
  type Located,
  type PackageIndex,
} from './debian/package-index.ts';
import type { Arch, Recipe } from './recipe.ts';
import { resolve } from './debian/resolve.ts';

/** Where packages come from and go to. */
export interface SupplyOptions extends IndexOptions, Omit<DownloadOptions, 'onGone'> {
  /**
   * Where packages are that the mirrors have no longer: an address below which they have their usual paths, or one with `{sha256}`
   * or `{path}` in it.
   */
  readonly vanished?: string;
}

/** Packages that are all in the download directory now. */
export interface Supply {
  readonly packages: readonly Located[];
  /** The suites that they come from. */
  readonly suites: readonly LockedSuite[];
}

/**
 * Fetches what the lock names, by its hash, however old the lock is. What the mirrors have no longer is resolved again, with what
 * needs it and nothing else, and never below the recipe's floors.
 */
export async function supply(
  lock: Lock,
  arch: Arch,
  options: SupplyOptions & { readonly recipe: Recipe },
): Promise<Supply> {
  const { packages } = lock.architectures[arch];
  const gone = await fetchPackages(packages, lock.suites, options);
  const [first] = gone.values();
  if (first === undefined) return { packages, suites: lock.suites };
  const kept = packages.filter((each) => !gone.has(each));
  const { recipe, onWarning } = options;
  const indexes = await fetchIndexes(recipe.releases, lock.suites, options);
  const resolved = resolvedOrThrow({
    ...askedFor(recipe, arch),
    releases: await indexes.releasesFor(arch),
    kept: await indexOfFetched(kept, options.directory),
  });
  onWarning(describeChange(packages, resolved, first));
  const suites = suitesOf(resolved, indexes.suites, lock.suites);
  const [still] = (await fetchPackages(resolved, suites, options)).values();
  if (still !== undefined) throw new Failed(still);
  return { packages: resolved, suites };
}

/** What the recipe asks the resolver for, but for the indexes. */
export const askedFor = (recipe: Recipe, arch: Arch): Omit<Request, 'releases' | 'kept'> => ({
  requested: recipe.packages(arch),
  without: recipe.without,
  from: recipe.from,
  floors: recipe.floors(arch),
});

/** Today's suites, and those of before that only what was kept comes from. */
const suitesOf = (
  packages: readonly Located[],
  now: readonly LockedSuite[],
  before: readonly LockedSuite[],
): LockedSuite[] => [
  ...now,
  ...before.filter(
    ({ codename }) =>
      now.every((each) => each.codename !== codename) &&
      packages.some(({ suite }) => suite === codename),
  ),
];

/** What packages that are here say of themselves. */
async function indexOfFetched(
  packages: readonly Located[],
  directory: string,
): Promise<PackageIndex> {
  const index = new Map<string, IndexedPackage[]>();
  for (const each of packages) {
    const deb = await readFile(cachedPath(directory, each.sha256));
    index.set(each.name, [packageOf(each, await debControl(deb, each.name))]);
  }
  return index;
}

/** Fetches each from its suite's archive; returns what cannot be had there, and not at the second address either, with the reason. */
async function fetchPackages(
  packages: readonly Located[],
  suites: readonly LockedSuite[],
  options: SupplyOptions,
): Promise<ReadonlyMap<Located, Failure>> {
  const gone = new Map<Located, Failure>();
  const isSecurity = new Set(
    suites.filter(({ archive }) => archive === 'security').map(({ codename }) => codename),
  );
  const archiveOf = ({ suite }: Located) => (isSecurity.has(suite) ? 'security' : 'main');
  for (const archive of ['main', 'security'] as const)
    await fetchFrom(
      packages.filter((each) => archiveOf(each) === archive),
      ({ filename }) => `${options.mirrors[archive]}/${filename}`,
      options,
      (each, failure) => {
        const isGone =
          failure.kind === 'not-on-mirror' ||
          (archive === 'security' && cannotBeHad(new Failed(failure)));
        if (isGone) gone.set(each, failure);
        return isGone;
      },
    );
  const { vanished } = options;
  if (vanished === undefined || gone.size === 0) return gone;
  const left = new Map(gone);
  const wanted = [...gone.keys()];
  for (const each of wanted) left.delete(each);
  await fetchFrom(
    wanted,
    (each) => addressOf(vanished, each),
    options,
    (each, failure) => {
      left.set(each, gone.get(each) ?? failure);
      return true;
    },
  );
  return left;
}

function fetchFrom(
  packages: readonly Located[],
  url: (each: Located) => string,
  options: SupplyOptions,
  onGone: (each: Located, failure: Failure) => boolean,
): Promise<void> {
  const wanted = new Map<FileToFetch, Located>(
    packages.map((each) => {
      const { name, sha256, size } = each;
      return [{ name, url: url(each), sha256, size }, each];
    }),
  );
  return downloadAll([...wanted.keys()], {
    ...options,
    onGone: (each, failure) => {
      const located = wanted.get(each);
      return located !== undefined && onGone(located, failure);
    },
  });
}

function addressOf(template: string, { sha256, filename }: Located): string {
  const whole = /\{(sha256|path)\}/.test(template) ? template : `${template}/{path}`;
  return whole.replaceAll('{sha256}', sha256).replaceAll('{path}', filename);
}

/** The closed set, or a failure that says what stands against it. */
export function resolvedOrThrow(request: Request): readonly Located[] {
  const resolved = resolve(request);
  if (resolved.ok) return resolved.packages;
  const { missing, conflicts } = resolved;
  const message =
    missing.length > 0
      ? `The mirror's package list does not contain: ${missing.join(', ')}.`
      : `The mirror's package list has conflicting packages: ${conflicts.join(', ')}.`;
  throw new Failed({
    kind: 'packages-unresolvable',
    message,
    hint: 'Use another mirror with --mirror URL.',
    exit: Exit.unavailable,
  });
}

/** What was taken in the place of packages that are gone, and why. */
export const describeChange = (
  before: readonly Located[],
  after: readonly Located[],
  because: Failure,
): string =>
  `${because.message} The affected packages were chosen again from the mirror's signed package list, so the image differs from the lock: ${changesBetween(before, after).join(', ')}.`;
