/** The host's name servers, as its guest can ask them: for a network program that reads them once and asks the old ones for ever. */
import type { GuestAgent, GuestExec } from './agent.ts';
import { fenceMessages, nameServerRules } from './fence.ts';

/** A resolver takes three (resolv.conf(5)), and the network's own comes last. */
const most = 2;

/**
 * The addresses at which the guest reaches those: others than the host's own as they are; what listens on the host's 127.0.0.1 at
 * `loopback`. None for the rest, since the guest has no IPv6. Pure.
 */
export function askedByGuest(servers: readonly string[], loopback: string): readonly string[] {
  const reached = servers.flatMap((server) => {
    if (!/^\d{1,3}(\.\d{1,3}){3}$/.test(server)) return [];
    if (server === '127.0.0.1' || server === '0.0.0.0') return [loopback];
    return server.startsWith('127.') ? [] : [server];
  });
  return [...new Set(reached)].slice(0, most);
}

interface Telling {
  /** What the guest asks from now on, and before it the network's own. */
  readonly servers: readonly string[];
  readonly own: readonly string[];
  /** What it was told before: builds do not reach these any more. */
  readonly before: readonly string[];
}

/** Has a guest that runs ask others. Not 0 where the guest is none that can be told: it is as it was. */
export function tellNameServers(
  agent: Pick<GuestAgent, 'exec'>,
  { servers, own, before }: Telling,
  signal: AbortSignal,
): Promise<GuestExec> {
  const rules = Buffer.concat([
    fenceMessages(nameServerRules(before), 'delete'),
    fenceMessages(nameServerRules(servers), 'add-first'),
  ]);
  const argv = ['-c', script, 'sh', rules.toString('base64'), ...servers, ...own];
  return agent.exec('/bin/sh', argv, { signal, timeoutMs: 4_000 });
}

/**
 * The rules as the guest's own start takes them. The file is written as it is, in one write: a build that runs has it mounted, and
 * glibc reads it again when it has changed.
 */
const script = `set -e
[ -f /run/seed/settings ]
[ -z "$1" ] || printf %s "$1" | busybox base64 -d | socat -u -b 65536 - SOCKET-SENDTO:16:3:0:x00000000000000000000
shift
printf 'nameserver %s\\n' "$@" >/etc/resolv.conf`;
