/** How far away an address is. A mirror may send us on, but never nearer to this machine than it is itself. */
import { BlockList, isIP, isIPv6 } from 'node:net';

/** 0: anywhere; 1: a private network; 2: this machine. */
export type Reach = 0 | 1 | 2;

const loopback = blockListOf([
  ['127.0.0.0', 8],
  ['0.0.0.0', 8], // Leads to this machine on Linux and macOS.
  ['::', 127], // :: and ::1
]);

/** By the special-purpose registries of IANA (RFC 6890): nothing there is anybody's public mirror. */
const local = blockListOf([
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 3],
  ['fc00::', 7],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
]);

/** The reach of an IP address, with or without brackets. */
export function reachOfAddress(address: string): Reach {
  const bare = address.replace(/^\[|\]$/g, '').replace(/%.*$/, '');
  const family = isIPv6(bare) ? 'ipv6' : 'ipv4';
  if (loopback.check(bare, family)) return 2;
  return local.check(bare, family) ? 1 : 0;
}

/** What the host of a URL says by itself: of an address its reach, of a name nothing, but that `localhost` is this machine. */
export function reachOfHost(hostname: string): Reach | undefined {
  if (isIP(hostname.replace(/^\[|\]$/g, '')) !== 0) return reachOfAddress(hostname);
  return /(^|\.)localhost\.?$/i.test(hostname) ? 2 : undefined;
}

function blockListOf(subnets: readonly (readonly [string, number])[]): BlockList {
  const list = new BlockList();
  for (const [net, prefix] of subnets) list.addSubnet(net, prefix, isIPv6(net) ? 'ipv6' : 'ipv4');
  return list;
}
