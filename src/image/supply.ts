/** From a lock to the packages' bytes in the download directory; when the mirror has moved on, by way of its signed index. */
import { Exit, Failed, type Failure } from '../system/failure.ts';
import { downloadAll, type DownloadOptions } from './download.ts';
import type { Lock, LockedPackages } from './lock.ts';
import type { Located, PackageIndex } from './package-index.ts';
import type { Arch } from './recipe.ts';
import { fetchIndex, fetchRelease, type Release } from './release.ts';
import { resolve } from './resolve.ts';
import type { Keyring } from './signature.ts';

export interface SupplyOptions extends DownloadOptions {
  readonly mirror: string;
  readonly keyring: Keyring;
  readonly onWarning: (message: string) => void;
}

/** Packages that are all in the download directory now. */
export interface Supply {
  readonly packages: readonly Located[];
  /** Of the index that they come from. */
  readonly indexDate: Date;
}

/** Fetches what the lock names; if the mirror has some of it no longer, what the same request means there today. */
export async function supply(lock: Lock, arch: Arch, options: SupplyOptions): Promise<Supply> {
  const { requested, packages } = lock.architectures[arch];
  const indexDate = new Date(lock.indexDate);
  try {
    await downloadPackages(packages, options);
    return { packages, indexDate };
  } catch (error) {
    if (!(error instanceof Failed) || error.failure.kind !== 'not-on-mirror') throw error;
    const again = { ...options, notBefore: indexDate };
    const release = await fetchRelease(options.mirror, lock.suite, options.keyring, again);
    const index = await fetchIndex(options.mirror, release, arch, options);
    const resolved = resolvedOrThrow(requested, lock.without, index);
    options.onWarning(describeChange(packages, resolved, error.failure));
    await downloadPackages(resolved, options);
    return { packages: resolved, indexDate: release.date };
  }
}

/** What a new lock holds for one architecture. */
export async function resolveAfresh(
  release: Release,
  arch: Arch,
  requested: readonly string[],
  options: SupplyOptions & { readonly without: readonly string[] },
): Promise<LockedPackages> {
  const index = await fetchIndex(options.mirror, release, arch, options);
  const packages = resolvedOrThrow(requested, options.without, index);
  return { requested: [...requested], packages: [...packages] };
}

const downloadPackages = (packages: readonly Located[], options: SupplyOptions): Promise<void> =>
  downloadAll(
    packages.map(({ name, filename, sha256, size }) => ({
      name,
      url: `${options.mirror}/${filename}`,
      sha256,
      size,
    })),
    options,
  );

function resolvedOrThrow(
  requested: readonly string[],
  without: readonly string[],
  index: PackageIndex,
): readonly Located[] {
  const resolved = resolve(requested, without, index);
  if (resolved.ok) return resolved.packages;
  throw new Failed({
    kind: 'packages-unresolvable',
    message: `The mirror's index does not have: ${resolved.missing.join(', ')}.`,
    hint: 'Use another mirror with --mirror URL.',
    exit: Exit.unavailable,
  });
}

const describeChange = (
  before: readonly Located[],
  after: readonly Located[],
  because: Failure,
): string =>
  `${because.message} So the packages were resolved again from the mirror's signed index, and the image is not the one of the lock: ${changesBetween(before, after).join(', ')}.`;

/** Names each package that is another now. */
export function changesBetween(before: readonly Located[], after: readonly Located[]): string[] {
  const old = new Map(before.map((each) => [each.name, each.version]));
  const now = new Set(after.map(({ name }) => name));
  const changed = after
    .filter(({ name, version }) => old.get(name) !== version)
    .map(({ name, version }) => `${name} ${version} (${was(old.get(name))})`);
  const gone = before.filter(({ name }) => !now.has(name)).map(({ name }) => `${name} (gone)`);
  return [...changed, ...gone];
}

const was = (version: string | undefined): string =>
  version === undefined ? 'new' : `was ${version}`;
