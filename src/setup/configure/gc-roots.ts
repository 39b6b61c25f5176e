/** Keeps what starts the daemon at login from Nix's garbage collector, where it is in the Nix store. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Layout } from '../../config/layout.ts';
import { run, succeeded } from '../../system/process/child.ts';
import { linkOf, realOrItself } from '../../system/files/final-target.ts';
import { makeDirectory, namesIfThere } from '../../system/files/files.ts';
import { tryProgram } from '../../system/process/find-program.ts';
import type { CliContext } from '../../command/context.ts';

/**
 * Makes a root for each store path that the login job needs, and takes away those of programs that it does not need now.
 * `programs`: what its daemon runs; undefined without a job.
 */
export async function keepPrograms(
  { gcRoots }: Layout,
  context: CliContext,
  { programs, say }: { programs: readonly string[] | undefined; say: (line: string) => void },
): Promise<void> {
  const { env, assets, signal } = context;
  const named = programs === undefined ? [] : [process.execPath, assets, ...programs];
  const paths = storePathsOf(named.map(realOrItself));
  const known = namesIfThere(gcRoots);
  for (const name of known)
    if (!paths.some((path) => rootName(path) === name)) rmSync(join(gcRoots, name));
  const nixStore = tryProgram('nix-store', env['PATH']);
  for (const path of paths.filter((each) => linkOf(join(gcRoots, rootName(each))) !== each)) {
    makeDirectory(gcRoots);
    const link = join(gcRoots, rootName(path));
    const argv = ['--realise', path, '--indirect', '--add-root', link];
    const ran =
      nixStore === undefined ? undefined : await run(nixStore, argv, { timeoutMs: 60_000, signal });
    if (ran !== undefined && succeeded(ran)) say(protectedPath(path));
    else context.err(unprotectedPath(path));
  }
}

export const protectedPath = (path: string): string =>
  `Protected from Nix's garbage collector: ${path}`;
export const unprotectedPath = (path: string): string =>
  `Warning: Nix's garbage collector may delete ${path}, which starts the daemon: cannot create a garbage-collector root for it.`;

/** The paths in the store that these lie in, each once. */
export const storePathsOf = (paths: readonly string[]): string[] => [
  ...new Set(paths.flatMap((path) => /^\/nix\/store\/[0-9a-z]{32}-[^/]+/.exec(path)?.[0] ?? [])),
];

const rootName = (path: string): string => path.slice('/nix/store/'.length);
