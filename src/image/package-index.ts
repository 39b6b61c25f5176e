/** The list of a suite's packages for one architecture, as the resolver needs it. */
import { paragraphs } from './control.ts';
import { parseRelations, type Alternative, type Relation } from './relation.ts';

/** Where a package is and what its bytes are: enough to fetch it and to know it. */
export interface Located {
  readonly name: string;
  readonly version: string;
  /** Below the mirror's address. */
  readonly filename: string;
  readonly sha256: string;
  /** In bytes. */
  readonly size: number;
}

export interface IndexedPackage extends Located {
  /** Depends and Pre-Depends together. */
  readonly depends: readonly Relation[];
  readonly provides: readonly Alternative[];
}

/** Packages by name; a name may have several versions. */
export type PackageIndex = ReadonlyMap<string, readonly IndexedPackage[]>;

const fields = new Set(
  'package version filename sha256 size depends pre-depends provides'.split(' '),
);

/** Text of a Packages file -> its packages. Paragraphs without a place or a hash are of no use and left out. */
export function parsePackageIndex(text: string): PackageIndex {
  const index = new Map<string, IndexedPackage[]>();
  for (const paragraph of paragraphs(text, fields)) {
    const field = (name: string) => paragraph.get(name) ?? '';
    const name = field('package');
    const size = Number(field('size'));
    if (name === '' || !isSafePath(field('filename')) || !/^[0-9a-f]{64}$/.test(field('sha256')))
      continue;
    const found: IndexedPackage = {
      name,
      version: field('version'),
      filename: field('filename'),
      sha256: field('sha256'),
      size,
      get depends() {
        return parseRelations(`${field('pre-depends')},${field('depends')}`);
      },
      provides: parseRelations(field('provides')).flat(),
    };
    const others = index.get(name);
    if (others === undefined) index.set(name, [found]);
    else others.push(found);
  }
  return index;
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
