/** Whether Nix knows of the builder: the daemon itself works without. */
import type { Layout } from '../config/layout.ts';
import { placesOf, rootLayout } from '../host/places.ts';
import { readIfThere } from '../system/files.ts';
import { fieldsOf } from '../system/json-lines.ts';
import type { CliContext } from './context.ts';

/** Why no build will come although the guest is ready, and what mends it; undefined where nothing speaks against it. */
export function strangerToNix(
  { root }: Layout,
  { env }: Pick<CliContext, 'env'>,
): string | undefined {
  const owner = ownerOf(env);
  if (owner === 'unreadable' || owner?.directory === root) return undefined;
  const whom =
    owner === undefined ? '' : ` It knows the one of ${owner.name}, in ${owner.directory}.`;
  return `Nix does not know of this builder, so no build comes.${whom} Tell it: linuxkit-builder configure.`;
}

/** Whose builder root knows. Read without a check of the whole record, which is `doctor`'s affair: `status` is to be quick. */
export function ownerOf(
  env: NodeJS.ProcessEnv,
): { name: string; directory: string } | undefined | 'unreadable' {
  try {
    const text = readIfThere(rootLayout(placesOf(env['LINUXKIT_BUILDER_TREE'])).installed);
    if (text === undefined) return undefined;
    const { name, directory } = fieldsOf(fieldsOf(JSON.parse(text))['owner']);
    const isWhole = typeof name === 'string' && typeof directory === 'string';
    return isWhole ? { name, directory } : 'unreadable';
  } catch {
    return 'unreadable';
  }
}
