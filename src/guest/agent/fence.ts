/**
 * What builds may not reach: the host, which a user-mode network shows to the guest under addresses of the guest's own network, and
 * where the settings say so its LAN. As policy rules of the guest's kernel, which know who sends. Pure.
 */

interface Fence {
  /** The guest's own address with its prefix length. In its network everything but the name servers is the host. */
  readonly address: string;
  readonly nameservers: readonly string[];
  /** TCP ports of the host's loopback that builds may reach all the same. */
  readonly hostPorts: readonly number[];
  /** Whether builds reach private networks. */
  readonly lan: boolean;
}

/** One policy rule for whoever is neither root nor a user of ours: rules are tried from the first to the last. */
export interface Rule {
  readonly to: string;
  readonly does: 'allow' | 'prohibit';
  readonly port?: { readonly protocol: 'tcp' | 'udp'; readonly number: number };
}

/** Cloud hosts tell secrets to whoever asks there; nothing that a build needs is. */
const linkLocal = '169.254.0.0/16';
/** RFC 1918, and RFC 6598, which overlay networks use. */
const privateNetworks = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10'];

/** The rules in their order. */
export function fenceRules({ address, nameservers, hostPorts, lan }: Fence): readonly Rule[] {
  const closed = [address, linkLocal, ...(lan ? [] : privateNetworks)];
  return [
    ...nameServerRules(nameservers),
    ...hostPorts.map((port) => allow(address, 'tcp', port)),
    ...closed.map((to): Rule => ({ to, does: 'prohibit' })),
  ];
}

/** What lets builds ask these for names. */
export const nameServerRules = (servers: readonly string[]): readonly Rule[] =>
  servers.flatMap((to) => [allow(`${to}/32`, 'udp', 53), allow(`${to}/32`, 'tcp', 53)]);

const allow = (to: string, protocol: 'tcp' | 'udp', number: number): Rule => ({
  to,
  does: 'allow',
  port: { protocol, number },
});

/** Numbers of Linux: linux/netlink.h, linux/rtnetlink.h, linux/fib_rules.h, netinet/in.h. */
const kinds = { add: 32, 'add-first': 32, delete: 33 };
/** Request; and for a new one, create and exclusive. */
const flags = { add: 0x1 | 0x400 | 0x200, 'add-first': 0x1 | 0x400 | 0x200, delete: 0x1 };
const inet = 2;
const tables = { main: 254 };
const actions = { allow: 1, prohibit: 8 };
const attributes = { dst: 1, priority: 6, uidRange: 20, protocol: 22, dportRange: 24 };
const protocols = { tcp: 6, udp: 17 };
/** Behind the kernel's rule for what is the guest's own (0), before that for its routes (32766). */
const priorities = { add: 1000, 'add-first': 900, delete: 900 };
/** The users of builds, whatever they are called; 1000 is `builder`, and below it are the guest's own. */
const builds = { from: 1001, to: 0xffff_fffe };

/**
 * The requests (RTM_NEWRULE, RTM_DELRULE) with which a kernel takes the rules, in one datagram for a NETLINK_ROUTE socket; `add-first`:
 * before those that a guest has from its start, as which `delete` takes them back. Little-endian, as all our guests are.
 */
export const fenceMessages = (
  rules: readonly Rule[],
  how: 'add' | 'add-first' | 'delete' = 'add',
): Buffer => Buffer.concat(rules.map((rule, index) => messageOf(rule, index, how)));

function messageOf({ to, does, port }: Rule, index: number, how: keyof typeof kinds): Buffer {
  const [address = '', length = '32'] = to.split('/');
  // Family, length of the destination, of the source, tos, table, two reserved bytes, action, flags (struct fib_rule_hdr).
  const table = does === 'allow' ? tables.main : 0;
  const header = [inet, Number(length), 0, 0, table, 0, 0, actions[does], 0, 0, 0, 0];
  const body = Buffer.concat([
    Buffer.from(header),
    attribute(attributes.dst, network(address, Number(length))),
    attribute(attributes.priority, words(priorities[how] + index)),
    attribute(attributes.uidRange, words(builds.from, builds.to)),
    ...(port === undefined
      ? []
      : [
          attribute(attributes.protocol, Buffer.of(protocols[port.protocol])),
          attribute(attributes.dportRange, halves(port.number, port.number)),
        ]),
  ]);
  const typeAndFlags = halves(kinds[how], flags[how]);
  // Length, type and flags, number, sender (struct nlmsghdr).
  return Buffer.concat([words(16 + body.length), typeAndFlags, words(index + 1, 0), body]);
}

/** Its length, its type, its value, zeros up to a multiple of 4 (struct rtattr). */
function attribute(type: number, value: Buffer): Buffer {
  const padding = Buffer.alloc(-value.length & 3);
  return Buffer.concat([halves(4 + value.length, type), value, padding]);
}

/** The kernel refuses a destination with bits beyond its length. */
function network(address: string, length: number): Buffer {
  const bytes = Buffer.from(address.split('.').map(Number));
  const mask = length === 0 ? 0 : (0xffff_ffff << (32 - length)) >>> 0;
  bytes.writeUInt32BE((bytes.readUInt32BE() & mask) >>> 0);
  return bytes;
}

function words(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, index) => bytes.writeUInt32LE(value, 4 * index));
  return bytes;
}

function halves(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(2 * values.length);
  values.forEach((value, index) => bytes.writeUInt16LE(value, 2 * index));
  return bytes;
}
