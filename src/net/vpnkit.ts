/** VPNKit: the network that HyperKit was made with. Its readiness, its refusals and its end can be told only from outside. */
import { sha256 } from '../system/digest.ts';
import type { Layout } from '../config/layout.ts';
import { firstSocketFd } from '../system/process/child.ts';
import { readIfThere } from '../system/files/files.ts';
import type { NetworkDriver } from './network-driver.ts';
import { shakeHands } from './handshake.ts';

/**
 * VPNKit's pool began at .2 until 2018-01 and begins at .3 since, when .2 became the host (bf0a28d): .3 is in both, so that no
 * option has to be passed which one of them does not know.
 */
const address = '192.168.65.3';
const gateway = '192.168.65.1';
/** A VPNKit that runs answers within 50 ms; one that is loaded from a sleeping disk takes seconds. */
const readyMs = 15_000;

export const vpnkit: NetworkDriver = {
  name: 'vpnkit',
  network: ({ layout, uuid }) => ({
    name: 'vpnkit',
    guest: { address: `${address}/24`, gateway, nameservers: [gateway] },
    attachment: { kind: 'vpnkit', socket: layout.vpnkitSocket, uuid, preferredIpv4: address },
  }),
  plan: ({ layout, program }) => ({
    program,
    // The socket is ours, and there before it: by itself it would unlink whatever is there, and exit with 0 where it cannot bind.
    // No --port (9p), no --vsock-path: the front door goes to the guest by itself.
    argv: ['--ethernet', `fd:${firstSocketFd}`],
    sockets: [layout.vpnkitSocket],
    env: { PATH: '/usr/bin:/bin', TMPDIR: layout.state },
    cwd: layout.state,
  }),
  stale: ({ vpnkitSocket }) => [vpnkitSocket],
  ready: async ({ layout, uuid, clock, signal }) => {
    await shakeHands({
      path: layout.vpnkitSocket,
      uuid,
      preferredIpv4: address,
      clock,
      signal,
      timeoutMs: readyMs,
      program: 'vpnkit',
    });
  },
  // It has no handler for SIGTERM: it dies at once.
  graceMs: 1_000,
};

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** The card's uuid: the one in the file, where there is one already; else one that is made of the directory's name. */
export function cardUuid({ root, vpnkitUuid }: Pick<Layout, 'root' | 'vpnkitUuid'>): string {
  const kept = readIfThere(vpnkitUuid)?.trim();
  if (kept !== undefined && uuidPattern.test(kept) && !/^[0-]+$/.test(kept)) return kept;
  const hash = sha256(`linuxkit-builder ${root}`);
  // Version 8 (RFC 9562): made by a rule of our own.
  const parts = [
    hash.slice(0, 8),
    hash.slice(8, 12),
    `8${hash.slice(13, 16)}`,
    `8${hash.slice(17, 20)}`,
  ];
  return `${parts.join('-')}-${hash.slice(20, 32)}`;
}
