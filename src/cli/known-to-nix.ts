/** Whether Nix knows of the builder: the daemon itself works without. */
import type { Layout } from '../config/layout.ts';
import { readInstalled, type Owner } from '../host/installed.ts';
import { placesOf, rootLayout } from '../host/places.ts';
import type { CliContext } from './context.ts';

/** Why no build will come although the guest is ready, and what mends it; undefined where nothing speaks against it. */
export function strangerToNix(
  { root }: Layout,
  { env }: Pick<CliContext, 'env'>,
): string | undefined {
  const owner = ownerOf(rootLayout(placesOf(env['LINUXKIT_BUILDER_TREE'])).installed);
  if (owner === 'unreadable' || owner?.directory === root) return undefined;
  const whom =
    owner === undefined ? '' : ` It knows the one of ${owner.name}, in ${owner.directory}.`;
  return `Nix does not know of this builder, so no build comes.${whom} Tell it: linuxkit-builder configure.`;
}

/** What cannot be read is `doctor`'s affair. */
function ownerOf(installed: string): Owner | undefined | 'unreadable' {
  try {
    return readInstalled(installed)?.owner;
  } catch {
    return 'unreadable';
  }
}
