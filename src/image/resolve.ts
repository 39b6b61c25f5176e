/** Requested names + an index -> every package that has to be there. Pure; recommendations are not followed. */
import type { IndexedPackage, Located, PackageIndex } from './package-index.ts';
import { takesVersion, type Alternative, type Relation } from './relation.ts';
import { compareVersions } from './version.ts';

export type Resolved =
  | { readonly ok: true; readonly packages: readonly Located[] }
  /** Relations that nothing in the index meets, each with the package that has it. */
  | { readonly ok: false; readonly missing: readonly string[] };

/** The closed set, sorted by name. Packages named in `without` are taken for present and left out, with all they need. */
export function resolve(
  requested: readonly string[],
  without: readonly string[],
  index: PackageIndex,
): Resolved {
  const absent = new Set(without);
  const chosen = new Map<string, IndexedPackage>();
  const missing: string[] = [];
  const providers = providersOf(index);
  const queue: { relation: Relation; wantedBy: string }[] = requested.map((name) => ({
    relation: [{ name }],
    wantedBy: 'the recipe',
  }));
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const { relation, wantedBy } = next;
    if (relation.some(({ name }) => absent.has(name)) || isMet(relation, chosen)) continue;
    const found = pick(relation, index, providers, absent);
    if (found === undefined) missing.push(`${describeRelation(relation)} (for ${wantedBy})`);
    if (found === undefined || absent.has(found.name)) continue;
    chosen.set(found.name, found);
    for (const needed of found.depends) queue.push({ relation: needed, wantedBy: found.name });
  }
  if (missing.length > 0) return { ok: false, missing };
  const packages = [...chosen.values()].map(locatedOf);
  return { ok: true, packages: packages.sort((a, b) => (a.name < b.name ? -1 : 1)) };
}

/** Whether a package that was chosen already meets the relation, itself or by what it provides. */
function isMet(relation: Relation, chosen: ReadonlyMap<string, IndexedPackage>): boolean {
  return relation.some((alternative) => {
    const same = chosen.get(alternative.name);
    if (same !== undefined && takesVersion(alternative, same.version)) return true;
    return [...chosen.values()].some((each) => providesIt(each, alternative));
  });
}

/** The first alternative that anything meets: a real package in its newest version before one that provides the name. */
function pick(
  relation: Relation,
  index: PackageIndex,
  providers: Providers,
  absent: ReadonlySet<string>,
): IndexedPackage | undefined {
  for (const alternative of relation) {
    const real = newest(
      (index.get(alternative.name) ?? []).filter((each) => takesVersion(alternative, each.version)),
    );
    if (real !== undefined) return real;
    const providing = (providers.get(alternative.name) ?? []).filter((each) =>
      providesIt(each, alternative),
    );
    const present = providing.find((each) => absent.has(each.name));
    const first = [...providing].sort((a, b) => (a.name < b.name ? -1 : 1))[0];
    if (present !== undefined || first !== undefined)
      return present ?? newest(versionsOf(providing, first));
  }
  return undefined;
}

type Providers = ReadonlyMap<string, readonly IndexedPackage[]>;

function providersOf(index: PackageIndex): Providers {
  const providers = new Map<string, IndexedPackage[]>();
  for (const each of [...index.values()].flat())
    for (const { name } of each.provides) {
      const others = providers.get(name);
      if (others === undefined) providers.set(name, [each]);
      else others.push(each);
    }
  return providers;
}

/** A provision without a version meets only relations without one (deb-control(5)). */
const providesIt = (each: IndexedPackage, wanted: Alternative): boolean =>
  each.provides.some(
    ({ name, version }) =>
      name === wanted.name &&
      (wanted.version === undefined ||
        (version !== undefined && takesVersion(wanted, version.than))),
  );

const versionsOf = (all: readonly IndexedPackage[], of: IndexedPackage | undefined) =>
  all.filter(({ name }) => name === of?.name);

const newest = (all: readonly IndexedPackage[]): IndexedPackage | undefined =>
  all.reduce<IndexedPackage | undefined>(
    (best, each) =>
      best === undefined || compareVersions(each.version, best.version) > 0 ? each : best,
    undefined,
  );

const locatedOf = ({ name, version, filename, sha256, size }: IndexedPackage): Located => ({
  name,
  version,
  filename,
  sha256,
  size,
});

const describeRelation = (relation: Relation): string =>
  relation
    .map(({ name, version }) =>
      version === undefined ? name : `${name} (${version.operator} ${version.than})`,
    )
    .join(' | ');
