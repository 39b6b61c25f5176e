/** Whether Nix knows of the builder: the daemon itself works without. */
import { lstatSync } from 'node:fs';
import type { Layout } from '../config/layout.ts';
import { systemPathsOf } from '../host/system-paths.ts';
import { readIfThere } from '../system/files/files.ts';
import { fieldsOf } from '../system/socket/json-lines.ts';
import type { CliContext } from '../command/context.ts';
import { advice, ours, type Text } from '../system/advice.ts';

/** Why no build will come although the guest is ready, and what mends it; undefined where nothing speaks against it. */
export function notRegistered(
  { root }: Layout,
  { env }: Pick<CliContext, 'env'>,
): Text | undefined {
  const owner = ownerOf(env);
  if (owner === 'unreadable' || owner?.directory === root) return undefined;
  const whom =
    owner === undefined
      ? ''
      : ` The registered one belongs to ${owner.name}, in ${owner.directory}.`;
  return advice`This builder is not registered with Nix, so no builds are sent to it.${whom} Register it: ${ours('configure')}`;
}

/** Whose builder root knows. Read without a check of the whole record, which is `doctor`'s affair: `status` is to be quick. */
export function ownerOf(
  env: NodeJS.ProcessEnv,
): { name: string; directory: string } | undefined | 'unreadable' {
  try {
    const text = readIfThere(systemPathsOf(env['LINUXKIT_BUILDER_TREE']).roots.installed);
    if (text === undefined) return undefined;
    const { name, directory } = fieldsOf(fieldsOf(JSON.parse(text))['owner']);
    const isWhole = typeof name === 'string' && typeof directory === 'string';
    return isWhole ? { name, directory } : 'unreadable';
  } catch {
    return 'unreadable';
  }
}

/** One run of configure writes all of them. */
const together = 2_000;

/**
 * Whether root's files and ours have to be compared: not when each is as old as root's record of them, which takes reading
 * nothing. A link may lead to other content at any time.
 */
export function mayBeUnregistered(
  { config, hostKey }: Layout,
  { env }: Pick<CliContext, 'env'>,
): boolean {
  const root = systemPathsOf(env['LINUXKIT_BUILDER_TREE']).roots;
  try {
    const told = lstatSync(root.installed).mtimeMs + together;
    return [
      config,
      hostKey,
      root.clientPublicKey,
      root.sshConfig,
      root.knownHosts,
      root.list,
      root.machines,
    ]
      .map((path) => lstatSync(path))
      .some((file) => !file.isFile() || file.mtimeMs > told);
  } catch {
    // What cannot be looked at counts as changed.
    return true;
  }
}
