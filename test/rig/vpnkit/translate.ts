/**
 * Ethernet frames between VPNKit's subnet, where the guest is, and gvproxy's, whose program cannot be given another: addresses
 * in ARP and IPv4 are exchanged, and the sums that cover them are kept right (RFC 1624).
 */

/** Last bytes of the addresses that stand for each other: the gateway, the guest, the host. */
const pairs: readonly (readonly [vpnkit: number, gvproxy: number])[] = [
  [1, 1],
  [3, 2],
  [2, 254],
];
const subnets = { vpnkit: [192, 168, 65], gvproxy: [192, 168, 127] } as const;
type Side = keyof typeof subnets;

const etherType = 12;
const header = 14;
const arp = { type: 0x0806, addresses: [header + 14, header + 24] };
const ipv4 = { type: 0x0800, checksum: header + 10, addresses: [header + 12, header + 16] };
/** Where the sum over addresses and payload is, by protocol, behind the IP header. */
const checksumOf: Readonly<Record<number, number>> = { 6: 16, 17: 6 };

/** Changes a frame in place, from one side's addresses to the other's. */
export function translate(frame: Buffer, to: Side): Buffer {
  const type = frame.length >= header + 20 ? frame.readUInt16BE(etherType) : 0;
  if (type === arp.type && frame.length >= header + 28)
    for (const at of arp.addresses) exchange(frame, at, to, []);
  if (type === ipv4.type) {
    const sums = [ipv4.checksum, ...payloadSum(frame)];
    for (const at of ipv4.addresses) exchange(frame, at, to, sums);
  }
  return frame;
}

/** None in a fragment that is not the first, and none where UDP goes without. */
function payloadSum(frame: Buffer): number[] {
  const behind = checksumOf[frame[header + 9] ?? 0];
  const at = header + ((frame[header] ?? 0) & 0x0f) * 4 + (behind ?? 0);
  const isFirst = (frame.readUInt16BE(header + 6) & 0x1fff) === 0;
  if (behind === undefined || !isFirst || at + 2 > frame.length) return [];
  return behind === 6 && frame.readUInt16BE(at) === 0 ? [] : [at];
}

function exchange(frame: Buffer, at: number, to: Side, sums: readonly number[]): void {
  const from: Side = to === 'vpnkit' ? 'gvproxy' : 'vpnkit';
  if (subnets[from].some((byte, n) => frame[at + n] !== byte)) return;
  const index = (side: Side) => (side === 'vpnkit' ? 0 : 1);
  const pair = pairs.find((each) => each[index(from)] === frame[at + 3]);
  if (pair === undefined) return;
  const before = frame.readUInt32BE(at);
  frame.set([...subnets[to], pair[index(to)]], at);
  for (const sum of sums) adjust(frame, sum, before, frame.readUInt32BE(at));
}

function adjust(frame: Buffer, at: number, before: number, after: number): void {
  const words = (value: number) => [value >>> 16, value & 0xffff];
  const inverted = (word: number) => ~word & 0xffff;
  let sum = inverted(frame.readUInt16BE(at));
  for (const word of [...words(before).map(inverted), ...words(after)]) sum += word;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  frame.writeUInt16BE(inverted(sum), at);
}
