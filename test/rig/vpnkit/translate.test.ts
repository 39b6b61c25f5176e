import { describe, expect, test } from 'vitest';
import { translate } from './translate.ts';

const address = (text: string) => text.split('.').map(Number);
const guest = address('192.168.65.3');
const gateway = address('192.168.65.1');
const world = address('93.184.216.34');

/** The internet checksum: 0 over a message whose own is right. */
function sum(bytes: Buffer): number {
  let total = 0;
  for (let at = 0; at < bytes.length; at += 2)
    total += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  return ~total & 0xffff;
}
const pseudoHeader = (frame: Buffer) => {
  const payload = frame.subarray(34);
  const head = Buffer.from([...frame.subarray(26, 34), 0, frame[23] ?? 0, 0, payload.length]);
  return Buffer.concat([head, payload]);
};

/** A frame with right sums. */
function packet(protocol: 6 | 17, from: number[], to: number[], text: string): Buffer {
  const frame = Buffer.alloc(14 + 20 + (protocol === 6 ? 20 : 8) + text.length);
  frame.writeUInt16BE(0x0800, 12);
  frame.set([0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol], 14);
  frame.writeUInt16BE(frame.length - 14, 16);
  frame.set([...from, ...to], 26);
  frame.writeUInt16BE(sum(frame.subarray(14, 34)), 24);
  frame.write(text, frame.length - text.length);
  frame.writeUInt16BE(sum(pseudoHeader(frame)), protocol === 6 ? 50 : 40);
  return frame;
}

describe('a frame', () => {
  test.each([
    [6, guest, world, '192.168.127.2', '93.184.216.34'],
    [17, guest, gateway, '192.168.127.2', '192.168.127.1'],
    [6, world, guest, '93.184.216.34', '192.168.127.2'],
    [6, guest, address('192.168.65.2'), '192.168.127.2', '192.168.127.254'],
    [17, guest, address('192.168.65.77'), '192.168.127.2', '192.168.65.77'],
  ] as const)('of protocol %i from %j to %j', (protocol, from, to, newFrom, newTo) => {
    const frame = packet(protocol, [...from], [...to], 'some words');
    const before = Buffer.from(frame);
    translate(frame, 'gvproxy');
    expect([...frame.subarray(26, 30)].join('.')).toBe(newFrom);
    expect([...frame.subarray(30, 34)].join('.')).toBe(newTo);
    expect(sum(frame.subarray(14, 34))).toBe(0);
    expect(sum(pseudoHeader(frame))).toBe(0);
    expect(translate(frame, 'vpnkit').equals(before)).toBe(true);
  });

  test('of UDP without a sum stays without', () => {
    const frame = packet(17, guest, gateway, 'x');
    frame.writeUInt16BE(0, 40);
    expect(translate(frame, 'gvproxy').readUInt16BE(40)).toBe(0);
  });

  test('of ARP', () => {
    const frame = Buffer.alloc(60);
    frame.writeUInt16BE(0x0806, 12);
    frame.set(guest, 28);
    frame.set(gateway, 38);
    translate(frame, 'gvproxy');
    expect([...frame.subarray(28, 32)]).toEqual(address('192.168.127.2'));
    expect([...frame.subarray(38, 42)]).toEqual(address('192.168.127.1'));
  });

  test.each([0, 13, 33, 60])('of %i bytes of anything else is left as it is', (length) => {
    const frame = Buffer.alloc(length, 0xc0);
    expect(translate(Buffer.from(frame), 'gvproxy').equals(frame)).toBe(true);
  });
});
