/** What `configure` does about a state directory of linuxkit-nix: goes on from it when asked to, and not otherwise. */
import { layoutOf } from '../config/layout.ts';
import { readLegacy, type Legacy } from '../host/legacy.ts';
import { Exit, Failed } from '../system/failure.ts';
import type { ConfigureFlags } from './configure-flags.ts';

/** The flags with its settings below those that were given; `legacy` is what has to be set aside. */
export function withLegacy(flags: ConfigureFlags): {
  readonly flags: ConfigureFlags;
  readonly legacy: Legacy | undefined;
} {
  const legacy = readLegacy(layoutOf(flags.root));
  if (legacy === undefined) return { flags, legacy };
  if (!flags.takeOver) throw new Failed(isLegacy(flags.root, legacy));
  const given = Object.entries(flags.asked).filter(([, value]) => value !== undefined);
  return { flags: { ...flags, asked: { ...legacy.asked, ...Object.fromEntries(given) } }, legacy };
}

const isLegacy = (root: string, { files }: Legacy) => ({
  kind: 'legacy-directory',
  message: `${root} is linuxkit-nix's, and nothing was changed.`,
  hint: `With --take-over, configure goes on with its settings, and sets these aside in ${root}/linuxkit-nix: ${files.join(', ')}. The paths on its disk are built or fetched anew. Or choose another directory with -d.`,
  exit: Exit.usage,
});
