/** HyperKit's card at VPNKit's socket: connects for ever, shakes hands, carries frames; its loss is a press of the button. */
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { frames } from '../frames.ts';
import type { Device } from './devices.ts';

type Vpnkit = Extract<Device, { kind: 'vpnkit' }>;

export interface Card {
  readonly mac: string;
  readonly maxPacketBytes: number;
  readonly socket: Socket;
  /** Came behind the handshake already. */
  readonly rest: Buffer;
}

const commit = '0123456789abcdef0123456789abcdef01234567';

/** Every 100 ms, for ever, and silently but for a refusal. */
export async function connectCard(device: Vpnkit, say: (line: string) => void): Promise<Card> {
  for (;;) {
    const card = await tryOnce(device, say);
    if (card !== undefined) return card;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function tryOnce(device: Vpnkit, say: (line: string) => void): Promise<Card | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ path: device.path });
    let got = Buffer.alloc(0);
    let asked = false;
    const settle = (card?: Card) => {
      socket.off('data', onData).off('error', onGone).off('close', onGone);
      if (card === undefined) socket.on('error', () => undefined).destroy();
      else socket.pause();
      resolve(card);
    };
    const onGone = () => settle();
    const onData = (chunk: Buffer) => {
      got = Buffer.concat([got, chunk]);
      if (!asked && got.length >= 49) {
        if (got.toString('latin1', 0, 5) !== 'VMN3T') return settle();
        socket.write(command(device));
        got = got.subarray(49);
        asked = true;
      }
      if (!asked || got.length < 258) return;
      if (got[0] === 2) {
        say(
          `virtio-net-vpnkit: server disconnected: ${got.toString('latin1', 2, 2 + (got[1] ?? 0))}`,
        );
        return settle();
      }
      if (got[0] !== 1) return settle();
      const mac = [...got.subarray(5, 11)].map((byte) => byte.toString(16).padStart(2, '0'));
      settle({
        mac: mac.join(':'),
        maxPacketBytes: got.readUInt16LE(3),
        socket,
        rest: got.subarray(258),
      });
    };
    socket.on('connect', () => {
      const init = Buffer.alloc(49);
      init.write(`VMN3T\x16\0\0\0${commit}`, 'latin1');
      socket.write(init);
    });
    socket.on('data', onData).on('error', onGone).on('close', onGone);
  });
}

function command({ uuid = '00000000-0000-0000-0000-000000000000', preferredIpv4 }: Vpnkit): Buffer {
  const bytes = Buffer.alloc(41);
  bytes[0] = preferredIpv4 === undefined ? 1 : 8;
  bytes.write(uuid, 1, 'latin1');
  for (const [n, part] of (preferredIpv4 ?? '').split('.').reverse().entries())
    if (preferredIpv4 !== undefined) bytes[37 + n] = Number(part);
  return bytes;
}

export interface Bridge {
  readonly onLost: (why: string) => void;
  /** HyperKit asserts: the process aborts. */
  readonly onAssert: (why: string) => void;
}

/** Frames from VPNKit's framing (u16, little-endian) to QEMU's (u32, big-endian) and back. */
export function bridge(card: Card, qemu: Duplex, { onLost, onAssert }: Bridge): void {
  const { socket, maxPacketBytes, rest } = card;
  const fromServer = frames(
    2,
    (head) => head.readUInt16LE(0),
    (frame) => {
      if (frame.length > 2048) onAssert(`assertion failed: frame of ${frame.length} bytes`);
      const head = Buffer.alloc(4);
      head.writeUInt32BE(frame.length);
      qemu.write(Buffer.concat([head, frame]));
    },
  );
  const fromGuest = frames(
    4,
    (head) => head.readUInt32BE(0),
    (frame) => {
      if (frame.length > maxPacketBytes)
        onAssert(`assertion failed: ${frame.length} <= ${maxPacketBytes}`);
      const padded =
        frame.length < 60 ? Buffer.concat([frame, Buffer.alloc(60 - frame.length)]) : frame;
      const head = Buffer.alloc(2);
      head.writeUInt16LE(padded.length);
      if (socket.writable) socket.write(Buffer.concat([head, padded]));
    },
  );
  qemu.on('data', fromGuest).on('error', () => undefined);
  socket.on('data', fromServer).on('error', () => undefined);
  socket.once('close', () => onLost('virtio-net-vpnkit: read EOF'));
  fromServer(rest);
  socket.resume();
}
