/** What of the settings root was not told, and the one command that tells it. */
import { parseConfig } from '../../config/config.ts';
import type { Layout } from '../../config/layout.ts';
import { readIdentity } from '../../guest/identity/identity.ts';
import { rootRequest } from '../builder-files.ts';
import { knownProxy } from '../../nix/ssh/door-helper.ts';
import { ownerHere, readInstalled } from '../../host/installed.ts';
import { detectNix, machinesKeeper } from '../../nix/variant.ts';
import { systemPathsOf } from '../../host/system-paths.ts';
import type { RootRequest } from './root-plan.ts';
import { rootNeeds } from './root-files.ts';
import { rootDriftOf, describeDrift, type RootDrift } from './root-drift.ts';
import { readIfThere } from '../../system/files/files.ts';
import { hostFacts } from '../../system/host/host.ts';
import type { CliContext } from '../../command/context.ts';
import { advice, ours, type Text } from '../../system/advice.ts';

/** What root has still to be told of this builder, and how. */
export interface RootUpdate extends RootDrift {
  readonly sentence: string;
  readonly remedy: Text;
}

type World = Pick<CliContext, 'env'>;

/** Undefined where root knows it all, or nothing of this builder; and where something cannot be read, which `doctor` looks into. */
export function rootUpdate(layout: Layout, world: World): RootUpdate | undefined {
  try {
    const tree = world.env['LINUXKIT_BUILDER_TREE'] ?? '';
    const installed = readInstalled(systemPathsOf(tree).roots.installed);
    if (installed?.owner.directory !== layout.root) return undefined;
    const request = requestIn(layout, tree);
    const drift = request && rootDriftOf(rootNeeds(request));
    return drift && { ...drift, ...toldBy(drift) };
  } catch {
    return undefined;
  }
}

/** The sentence for it, and its remedy. */
export const toldBy = (drift: RootDrift): Pick<RootUpdate, 'sentence' | 'remedy'> => ({
  sentence: describeDrift(drift),
  remedy: advice`${ours('configure')} (which uses sudo; with --no-root it prints what an administrator runs)`,
});

/** What configure would tell root now; undefined while the settings are wrong. No program is asked which Nix it is: files say who keeps it. */
function requestIn(layout: Layout, tree: string): RootRequest | undefined {
  const parsed = parseConfig(readIfThere(layout.config) ?? '', hostFacts(layout.root));
  if (!parsed.ok) return undefined;
  const { host } = readIdentity(layout);
  const { config } = parsed;
  const systemPaths = systemPathsOf(tree);
  return rootRequest({
    systemPaths,
    config,
    proxy: knownProxy(config, systemPaths.roots, readIfThere(layout.sshConfig) ?? ''),
    hostPublicKey: host.public,
    owner: ownerHere(layout.root),
    keeper: machinesKeeper(detectNix(tree, '')),
  });
}
