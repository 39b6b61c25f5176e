/**
 * The guest's root as one sequence of entries: our own files, then each package's, then what is generated. Nothing is
 * unpacked on the host, whose disk may take Foo and foo for the same.
 */
import { Exit, Failed } from '../../system/failure.ts';
import { parentOf, type Entry } from './entry.ts';

/** The entries of one package, whose name is for messages. */
export interface Package {
  readonly name: string;
  readonly entries: readonly Entry[];
}

/** Collects entries in order: parents before children, each path once, ours before a package's. */
export class Tree {
  readonly #kinds = new Map<string, { kind: Entry['kind']; from: string }>();
  readonly #modes = new Map<string, number>();

  /** Entries to be written for these files of ours: a later package's file at such a path is dropped. */
  own(entries: readonly Entry[]): Entry[] {
    return entries.flatMap((entry) => this.#add(entry, ours));
  }

  /** Entries to be written for the paths of a package that are kept. */
  package({ name, entries }: Package, keep: (path: string) => boolean): Entry[] {
    for (const entry of entries)
      if (entry.kind === 'directory' && !this.#modes.has(entry.path))
        this.#modes.set(entry.path, entry.mode);
    return entries.filter(({ path }) => keep(path)).flatMap((entry) => this.#add(entry, name));
  }

  #add(entry: Entry, from: string): Entry[] {
    const before = this.#kinds.get(entry.path);
    if (before !== undefined) {
      const both = before.kind === 'directory' || entry.kind === 'directory';
      if (before.from === ours || both) return [];
      throw collision(entry.path, before.from, from);
    }
    if (entry.kind === 'hardlink' && this.#kinds.get(entry.target)?.kind !== 'file')
      throw danglingLink(entry.path, entry.target, from);
    const parents = this.#parents(entry.path, from);
    this.#kinds.set(entry.path, { kind: entry.kind, from });
    return [...parents, entry];
  }

  /** The folders above that are not there yet, outermost first. */
  #parents(path: string, from: string): Entry[] {
    const parent = parentOf(path);
    if (parent === '') return [];
    const known = this.#kinds.get(parent);
    if (known?.kind === 'directory') return [];
    if (known !== undefined) throw collision(parent, known.from, from);
    const above = this.#parents(parent, from);
    this.#kinds.set(parent, { kind: 'directory', from });
    return [...above, { kind: 'directory', path: parent, mode: this.#modes.get(parent) ?? 0o755 }];
  }
}

const ours = 'linuxkit-builder';

/** The links of a merged /usr, which no package of the set carries. */
export function usrLinks(folders: readonly string[]): Entry[] {
  return folders.map((path) => ({ kind: 'symlink', path, target: `usr/${path}` }));
}

const odd = (message: string): Failed =>
  new Failed({
    kind: 'packages-collide',
    message,
    hint: 'Please report this: the recipe must leave one of them out.',
    exit: Exit.dataError,
  });

export const collision = (path: string, first: string, second: string): Failed =>
  odd(`Both ${first} and ${second} contain ${path}.`);

/** `from`: the package that has the link. */
export const danglingLink = (path: string, target: string, from: string): Failed =>
  odd(`${path} of ${from} is a hard link to ${target}, which is left out.`);
