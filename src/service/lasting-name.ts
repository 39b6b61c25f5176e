/**
 * A name for a file of an installation that leads to the next version's after an upgrade, where its package manager has one: the file's own
 * path has the version in it, and is gone then.
 */
import { realpathSync } from 'node:fs';
import { join } from 'node:path';

interface NameWorld {
  readonly home: string;
  /** Names by which a PATH leads to a file called so, in its order. */
  readonly onPath: readonly string[];
  /** Login name. */
  readonly user: string;
  /** Nix's; another one in a test. */
  readonly store?: string;
}

/** The first of its names that leads to it now; the file itself where there is none but that. */
export function lastingName(file: string, world: NameWorld): string {
  const real = realOf(file);
  if (real === undefined) return file;
  const { onPath, store = '/nix/store' } = world;
  const lasting = onPath.filter((name) => !passing.test(name) && !name.startsWith(`${store}/`));
  const names = [...lasting, ...kept(real, { ...world, store })];
  return names.find((name) => name !== real && realOf(name) === real) ?? real;
}

/**
 * Not one of a single shell's: fnm makes a link for each, in a directory that is removed when the machine starts again. Nor one with a
 * version in it, by which a package manager's own link is as short-lived as the file.
 */
const passing = /\/(fnm_multishells|Cellar|node-versions|versions\/node|installs\/node\/\d+\.)/;

/** The links that managers of programs keep at the version that is used. */
function kept(real: string, { home, user, store }: Required<NameWorld>): string[] {
  const swaps: readonly (readonly [RegExp, readonly string[]])[] = [
    // Homebrew: opt/NAME is a link into the Cellar.
    [/\/Cellar\/([^/]+)\/[^/]+\//, ['/opt/$1/']],
    [/\/node-versions\/[^/]+\/installation\//, ['/aliases/default/']],
    // nvm, with NVM_SYMLINK_CURRENT.
    [/\/versions\/node\/v[^/]+\//, ['/current/']],
    // mise.
    [/\/installs\/node\/(\d+)[^/]*\//, ['/installs/node/$1/', '/installs/node/latest/']],
    // pnpm: node_modules/NAME is a link into its store, which is inside or beside it.
    [/\/\.pnpm\/[^/]+\/node_modules\//, ['/', '/node_modules/']],
    [
      new RegExp(`^${store.replace(/[^\w/]/g, '\\$&')}/[^/]+/`),
      [
        `${join(home, '.nix-profile')}/`,
        `${join(home, '.local/state/nix/profile')}/`,
        `/etc/profiles/per-user/${user}/`,
        '/nix/var/nix/profiles/default/',
        '/run/current-system/sw/',
      ],
    ],
  ];
  return swaps.flatMap(([path, names]) =>
    path.test(real) ? names.map((name) => real.replace(path, name)) : [],
  );
}

function realOf(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}
