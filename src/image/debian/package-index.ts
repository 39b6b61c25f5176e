/** The list of a suite's packages for one architecture, as the resolver needs it. */
import { paragraphs, type Paragraph } from './control-format.ts';
import { parseRelations, type Alternative, type Relation } from './relation.ts';

/** Where a package is and what its bytes are: enough to fetch it and to know it. */
export interface Located {
  readonly name: string;
  readonly version: string;
  /** Codename of the suite that has it. */
  readonly suite: string;
  /** Below the mirror's address. */
  readonly filename: string;
  readonly sha256: string;
  /** In bytes. */
  readonly size: number;
}

/** One version of a package, with all relations that count here. */
export interface IndexedPackage extends Located {
  /** Depends and Pre-Depends together. */
  readonly depends: readonly Relation[];
  readonly provides: readonly Alternative[];
  /** Breaks and Conflicts together: none of these may be there beside it. */
  readonly conflicts: readonly Alternative[];
}

/** Packages by name; a name may have several versions. */
export type PackageIndex = ReadonlyMap<string, readonly IndexedPackage[]>;

const fields = new Set(
  'package version filename sha256 size depends pre-depends provides breaks conflicts'.split(' '),
);

/** Text of a suite's Packages file -> its packages. Paragraphs without a place or a hash are of no use and left out. */
export function parsePackageIndex(text: string, suite: string): PackageIndex {
  const index = new Map<string, IndexedPackage[]>();
  for (const paragraph of paragraphs(text, fields)) {
    const field = (name: string) => paragraph.get(name) ?? '';
    const [name, filename, sha256] = [field('package'), field('filename'), field('sha256')];
    if (name === '' || !isSafePath(filename) || !/^[0-9a-f]{64}$/.test(sha256)) continue;
    const size = Number(field('size'));
    const located = { name, version: field('version'), suite, filename, sha256, size };
    const others = index.get(name);
    if (others === undefined) index.set(name, [packageOf(located, paragraph)]);
    else others.push(packageOf(located, paragraph));
  }
  return index;
}

/** A package with what its paragraph says about others. That is read when it is asked for: most never are. */
export function packageOf(located: Located, paragraph: Paragraph): IndexedPackage {
  const field = (name: string) => paragraph.get(name) ?? '';
  return {
    ...located,
    get depends() {
      return parseRelations(`${field('pre-depends')},${field('depends')}`);
    },
    provides: parseRelations(field('provides')).flat(),
    get conflicts() {
      return parseRelations(`${field('breaks')},${field('conflicts')}`).flat();
    },
  };
}

/** One index of several: a name has the versions of all. */
export function merged(indexes: readonly PackageIndex[]): PackageIndex {
  const all = new Map<string, IndexedPackage[]>();
  for (const index of indexes)
    for (const [name, versions] of index) all.set(name, [...(all.get(name) ?? []), ...versions]);
  return all;
}

/**
 * A path below the mirror's root, and nowhere else: `%2e%2e` too climbs in an address (WHATWG URL, "double-dot path segment"), and
 * what `%2f` means is each server's affair.
 */
function isSafePath(path: string): boolean {
  try {
    const meant = decodeURIComponent(path);
    return /^[\w.+~:@-]+(?:\/[\w.+~:@-]+)*$/.test(meant) && !/(?:^|\/)\.{1,2}(?:\/|$)/.test(meant);
  } catch {
    // A % that encodes nothing.
    return false;
  }
}
