/** Whether the Nix of this machine can be used by whoever asks. */
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { shellWord } from '../../system/shell.ts';
import { hasKeeper } from '../../service/keeper.ts';
import { nameOf } from '../../system/host/name-of.ts';
import { Exit, Failed, type Failure } from '../../system/failure.ts';
import { thisUser } from '../../system/host/user.ts';
import type { CliContext } from '../../command/context.ts';
import { statsIfThere } from '../../system/stats.ts';

/** Failed where its daemon lets nobody of this user's groups in, or does not run where it is needed. macOS installs it so that it does. */
export async function mayUseNix({ env, signal }: CliContext): Promise<void> {
  if (process.platform !== 'linux') return;
  const nix = join(env['LINUXKIT_BUILDER_TREE'] ?? '', '/nix/var/nix');
  const sockets = join(nix, 'daemon-socket');
  const folder = statsIfThere(sockets);
  if (folder !== undefined && !mayEnter(sockets, constants.X_OK))
    throw new Failed(notInGroup((await nameOf('group', folder.gid, signal)) ?? String(folder.gid)));
  const isThere = statsIfThere(join(sockets, 'socket'))?.isSocket() === true;
  const isOurs = mayEnter(nix, constants.W_OK) || process.getuid?.() === 0;
  if (!isThere && !isOurs) throw new Failed(nixNotRunning(hasKeeper(env)));
}

function mayEnter(path: string, how: number): boolean {
  try {
    accessSync(path, how);
    return true;
  } catch {
    // Also where it is not there: then nobody enters.
    return false;
  }
}

/** `group`: the one that may enter the folder of nix-daemon's socket. */
export const notInGroup = (group: string): Failure => ({
  kind: 'nix-not-permitted',
  message: `You are not allowed to use nix-daemon: only members of the group ${group} are.`,
  hint: `Join the group, then log in again: sudo usermod -aG ${shellWord(group)} ${shellWord(thisUser().name)}`,
  exit: Exit.noPermission,
});

/** Without systemd, as in most containers, it is a person's to start. With & of the shell, sudo could not ask for a password. */
export const nixNotRunning = (hasSystemd: boolean): Failure => ({
  kind: 'nix-daemon-not-running',
  message: 'nix-daemon is not running, and you do not own /nix.',
  hint: hasSystemd
    ? 'Start it: sudo systemctl start nix-daemon.socket (on Debian, first: sudo apt-get install nix-setup-systemd)'
    : 'Start it in the background: sudo -b nix-daemon',
  exit: Exit.unavailable,
});
