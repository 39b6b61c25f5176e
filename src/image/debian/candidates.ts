/** What could meet a relation, in the order in which it is preferred, less what was given up. */
import { compareVersions } from '../../vm/debian-version.ts';
import type { IndexedPackage, PackageIndex } from './package-index.ts';
import { takesVersion, type Alternative, type Relation } from './relation.ts';
import { isWithin, type Floor } from '../../vm/floors.ts';

/** What is to be resolved, and from what. */
export interface Request {
  readonly requested: readonly string[];
  /** Names that are taken for present and left out, with all they need. */
  readonly without: readonly string[];
  /** In order of preference. */
  readonly releases: readonly { readonly name: string; readonly index: PackageIndex }[];
  /** Names that are looked for in another release first. */
  readonly from: Readonly<Record<string, string>>;
  readonly floors: readonly Floor[];
  /** What is there already and stays where it can: before all releases. */
  readonly kept?: PackageIndex;
}

/** One release, as the resolver asks it. */
interface Shelf {
  readonly index: PackageIndex;
  readonly providers: ReadonlyMap<string, readonly IndexedPackage[]>;
}

/** Answers for one resolution, which gives candidates up as it goes. */
export class Candidates {
  readonly #excluded = new Set<IndexedPackage>();
  readonly #shelves: ReadonlyMap<string, Shelf>;
  readonly #request: Request;
  readonly #absent: ReadonlySet<string>;
  readonly #floors: ReadonlyMap<string, Floor>;

  constructor(request: Request) {
    const { kept, releases, without, floors } = request;
    this.#request = request;
    this.#absent = new Set(without);
    this.#floors = new Map(floors.map((floor) => [floor.package, floor]));
    const all = [...(kept === undefined ? [] : [{ name: keptName, index: kept }]), ...releases];
    this.#shelves = new Map(all.map(({ name, index }) => [name, shelfOf(index)]));
  }

  /** Gives up one version of a package. */
  exclude(each: IndexedPackage): void {
    this.#excluded.add(each);
  }

  /** Whether there is another version of a package, or the same from elsewhere. */
  hasOther(than: IndexedPackage): boolean {
    return [...this.#shelves.values()].some(({ index }) =>
      this.#fit(index.get(than.name) ?? []).some((each) => each !== than),
    );
  }

  /**
   * The best that meets a relation: of the first release that has anything, for its first alternative that anything meets, a real
   * package in its newest version before one that provides the name.
   */
  pick(relation: Relation): IndexedPackage | undefined {
    const orders = relation.map((alternative) => ({
      alternative,
      order: this.#orderFor(alternative.name),
    }));
    for (let rank = 0; rank < this.#shelves.size; rank++)
      for (const { alternative, order } of orders) {
        const shelf = order[rank];
        const found = shelf === undefined ? undefined : this.#on(shelf, alternative);
        if (found !== undefined) return found;
      }
    return undefined;
  }

  #orderFor(name: string): readonly Shelf[] {
    const first = Object.hasOwn(this.#request.from, name) ? this.#request.from[name] : undefined;
    const weight = (shelf: string) => (shelf === keptName ? 0 : shelf === first ? 1 : 2);
    return [...this.#shelves].sort(([a], [b]) => weight(a) - weight(b)).map(([, shelf]) => shelf);
  }

  #on({ index, providers }: Shelf, wanted: Alternative): IndexedPackage | undefined {
    const real = newest(
      this.#fit(index.get(wanted.name) ?? []).filter((each) => takesVersion(wanted, each.version)),
    );
    if (real !== undefined) return real;
    const providing = this.#fit(providers.get(wanted.name) ?? []).filter((each) =>
      providesIt(each, wanted),
    );
    const present = providing.find((each) => this.#absent.has(each.name));
    const [first] = [...providing].sort((a, b) => (a.name < b.name ? -1 : 1));
    return present ?? newest(providing.filter(({ name }) => name === first?.name));
  }

  /** Not given up, and neither below its floor nor beyond its series. */
  #fit(all: readonly IndexedPackage[]): readonly IndexedPackage[] {
    return all.filter((each) => {
      const floor = this.#floors.get(each.name);
      if (floor !== undefined && !isWithin(each.version, floor)) return false;
      return !this.#excluded.has(each);
    });
  }
}

/** No release of Debian is called so. */
const keptName = '';

/** Whether a package is what is meant, by its own name or by what it provides. */
export const matches = (each: IndexedPackage, wanted: Alternative): boolean =>
  (each.name === wanted.name && takesVersion(wanted, each.version)) || providesIt(each, wanted);

/** A provision without a version meets only relations without one (deb-control(5)). */
const providesIt = (each: IndexedPackage, wanted: Alternative): boolean =>
  each.provides.some(
    ({ name, version }) =>
      name === wanted.name &&
      (wanted.version === undefined ||
        (version !== undefined && takesVersion(wanted, version.than))),
  );

function shelfOf(index: PackageIndex): Shelf {
  const providers = new Map<string, IndexedPackage[]>();
  for (const each of [...index.values()].flat())
    for (const { name } of each.provides) {
      const others = providers.get(name);
      if (others === undefined) providers.set(name, [each]);
      else others.push(each);
    }
  return { index, providers };
}

const newest = (all: readonly IndexedPackage[]): IndexedPackage | undefined =>
  all.reduce<IndexedPackage | undefined>(
    (best, each) =>
      best === undefined || compareVersions(each.version, best.version) > 0 ? each : best,
    undefined,
  );
