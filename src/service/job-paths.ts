/** Where the files of a job are. */
import { join } from 'node:path';
import type { CliContext } from '../command/context.ts';
import { systemPathsOf } from '../host/system-paths.ts';
import { agentPaths } from './launchd/launch-agent.ts';
import { unitPath } from './systemd/systemd-unit.ts';

/** The folder that stands for `/`, empty on a machine of its own. */
export const treeOf = ({ env }: CliContext): string => env['LINUXKIT_BUILDER_TREE'] ?? '';

/** Of the user's own: each is one for all builders of a user. */
export function jobPaths(context: CliContext) {
  const { home, configHome } = homesOf(context);
  return { ...agentPaths(home), unit: unitPath(configHome) };
}

/** The user's home, and the folder of what is configured there. A variable that holds no absolute path counts for nothing (XDG Base Directory Specification). */
export function homesOf(context: CliContext) {
  const tree = treeOf(context);
  const { home } = systemPathsOf(tree);
  const configHome = context.env['XDG_CONFIG_HOME'];
  const own = configHome?.startsWith('/') === true ? join(tree, configHome) : undefined;
  return { home, configHome: own ?? join(home, '.config') };
}
