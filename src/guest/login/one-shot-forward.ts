/**
 * A way for one ssh of ours to a guest that no TCP port leads to: a Unix socket where nobody else can enter. A port would let anybody of
 * this host come before that ssh, and so keep a guest from being ready.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Layout } from '../../config/layout.ts';
import type { Tunnel } from '../../domain/tunnel.ts';
import { Failed } from '../../system/failure.ts';
import {
  discardFolder,
  noTemporaryFiles,
  plainFolder,
  plainParents,
} from '../../system/files/temporary.ts';
import { quotedWord } from '../../system/shell.ts';
import { nodeCarrier } from '../../system/socket/node-carrier.ts';
import { relayTo } from '../../system/socket/relay.ts';

/** What ssh is told of it. */
export type OneShotForward =
  | Extract<Tunnel, { kind: 'tcp' }>
  /** `command`: ssh's ProxyCommand. */
  | { readonly kind: 'proxy'; readonly command: string };

/** Where its socket may be. The state directory is there as long as its daemon, and `control.sock` in it has no shorter path than ours. */
export const forwardFolders = ({ state }: Pick<Layout, 'state'>): readonly string[] => [
  ...plainParents(),
  state,
];

/** Where ssh is to go; lives until the signal aborts. Failed `no-temporary-files`. */
export async function openForward(
  tunnel: Tunnel,
  folders: readonly string[],
  signal: AbortSignal,
): Promise<OneShotForward> {
  if (tunnel.kind === 'tcp') return tunnel;
  const { server, close } = relayTo(tunnel, { isForOne: true });
  const folder = plainFolder('ssh-', folders);
  const end = () => {
    close();
    // Nobody would hear of an error of this listener but the process, which would end.
    discardFolder(folder);
  };
  const path = join(folder, 's');
  try {
    await new Promise<void>((resolve, reject) => {
      server.on('error', reject).listen(path, () => resolve());
    });
  } catch (error) {
    end();
    throw new Failed(noTemporaryFiles(dirname(folder), error), { cause: error });
  }
  if (signal.aborted) end();
  else signal.addEventListener('abort', end, { once: true });
  return { kind: 'proxy', command: proxyCommand(path) };
}

/** As ssh takes it: one line for the shell that ssh-argv.ts has it use. */
const proxyCommand = (path: string): string =>
  [...carrier(), path].map(quotedWord).join(' ').replaceAll('%', '%%');

/** macOS has nc. Elsewhere it is Node, also one that an upgrade has deleted meanwhile (proc(5), /proc/PID/exe). */
function carrier(): readonly string[] {
  if (process.platform === 'darwin') return ['/usr/bin/nc', '-U'];
  const { execPath, pid } = process;
  return [existsSync(execPath) ? execPath : `/proc/${pid}/exe`, '-e', nodeCarrier];
}
