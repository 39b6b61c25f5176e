/** The Nix of this machine. */
import { detectNix, type NixVariant } from './variant.ts';
import { run, succeeded } from '../system/process/child.ts';
import { tryProgram } from '../system/process/find-program.ts';
import type { CliContext } from '../command/context.ts';

/** Undefined where there is none. */
export async function findNix({ env, signal }: CliContext): Promise<NixVariant | undefined> {
  const nix = tryProgram('nix', env['PATH']);
  const ran =
    nix === undefined ? undefined : await run(nix, ['--version'], { timeoutMs: 10_000, signal });
  const said = ran !== undefined && succeeded(ran) ? ran.stdout : undefined;
  return detectNix(env['LINUXKIT_BUILDER_TREE'] ?? '', said);
}
