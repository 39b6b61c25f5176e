/** A port on which the daemon would not be allowed to listen. */
import type { Config } from '../../config/config.ts';
import { readIfThere } from '../../system/files/files.ts';

/** Below it a port is for root: ip(7) for Linux, where it can be set. macOS lets others have such a port, but not on 127.0.0.1 alone. */
export const leastPort = (): number =>
  Number(readIfThere('/proc/sys/net/ipv4/ip_unprivileged_port_start')?.trim() || 1024);

/** A warning and no refusal: the program may have been given the right (CAP_NET_BIND_SERVICE), or get it later. */
export const portWarnings = (
  { door, port }: Pick<Config, 'door' | 'port'>,
  { uid, least }: { readonly uid: number | undefined; readonly least: number },
): string[] =>
  door !== 'tcp' || uid === 0 || port >= least
    ? []
    : [
        `The daemon may not be able to listen on port ${port}: ports below ${least} are reserved for root. Choose another one with --port.`,
      ];
