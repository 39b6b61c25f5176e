/** Traffic through the front door: any bytes in any pieces, with ends and resets anywhere. */
import { readdirSync } from 'node:fs';
import type { Socket } from 'node:net';
import fc from './fast-check.ts';
import { describe, expect } from 'vitest';
import { judge } from '../../src/door/guest-connection.ts';
import { bannerLine, Client, doorRig, fakeGuest, until } from '../door/rig.ts';
import { anyBytes, chunked, garbled, holds, type Chunked } from './property.ts';

/** One side: what it sends, when it stops in the midst of it, and how. */
interface Side extends Chunked {
  readonly end: 'end' | 'reset';
  /** After so many of its chunks. */
  readonly after: number;
}
const side = (bytes: fc.Arbitrary<Buffer>): fc.Arbitrary<Side> =>
  fc
    .tuple(
      chunked(bytes),
      fc.constantFrom('end' as const, 'end' as const, 'reset' as const),
      fc.nat(),
    )
    .map(([said, end, n]) => ({ ...said, end, after: n % (said.chunks.length + 1) }));

const greeting = Buffer.from('SSH-2.0-x\r\n');
const banner = Buffer.from(bannerLine);
const large = anyBytes(300).map((bytes) => Buffer.concat(Array<Buffer>(400).fill(bytes)));
const stream = fc.oneof({ weight: 4, arbitrary: anyBytes(300) }, { weight: 1, arbitrary: large });

/** What a side really sent. */
const sent = ({ chunks, after, end }: Side): Buffer =>
  Buffer.concat(end === 'reset' ? chunks.slice(0, after) : [...chunks]);

/** Sends it all; before the end it waits for what it still wants to see. */
async function speak(
  socket: Socket,
  said: Side,
  untilEnd: () => boolean = () => true,
): Promise<void> {
  const chunks = said.end === 'reset' ? said.chunks.slice(0, said.after) : said.chunks;
  for (const chunk of chunks) {
    if (socket.destroyed) return;
    socket.write(chunk);
    await new Promise((resolve) => setImmediate(resolve));
  }
  if (said.end === 'reset') return void socket.resetAndDestroy();
  await until(untilEnd);
  socket.end();
}

const collect = (socket: Socket): Buffer[] => {
  const got: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => got.push(chunk));
  return got;
};

describe('through the door', () => {
  holds(
    'come the bytes that were sent, in their order, and nothing stays open',
    200,
    fc.asyncProperty(
      side(stream),
      side(stream.map((bytes) => Buffer.concat([greeting, bytes]))),
      async (ofClient, ofGuest) => {
        await using rig = await doorRig();
        let heard: Buffer[] = [];
        await using guest = await fakeGuest((socket, number) => {
          // A guest that reset before its greeting is asked again: then it says nothing more.
          if (number > 1) return void socket.resetAndDestroy();
          heard = collect(socket);
          void speak(socket, ofGuest);
        });
        const level = descriptors();
        const client = new Client(rig.port);
        client.socket.setEncoding('latin1');
        // As ssh does: it wants the greeting. A guest that is asked again will never give one.
        const greeted = () => client.text !== '' || client.over || guest.sockets.length > 1;
        const spoken = speak(client.socket, ofClient, greeted);
        rig.door.release(guest.tunnel);
        const isOver = () => {
          const { held, opening, open } = rig.door.counts();
          return held + opening + open === 0 && client.over;
        };
        for (let n = 0; !isOver(); n++) {
          // The guest never greeted: only the limit of the client's wait ends that.
          if (n > 100) await rig.clock.advance(1_000);
          await new Promise((resolve) => setImmediate(resolve));
        }
        await spoken;
        const toClient = Buffer.from(client.text, 'latin1');
        const toGuest = Buffer.concat(heard);
        expectPrefix(toClient, sent(ofGuest));
        expectPrefix(toGuest, Buffer.concat([banner, sent(ofClient)]));
        if (toClient.length > 0) expectPrefix(Buffer.from('SSH-2.0-'), toClient);
        // A client that ends while it waits is gone; one that got its greeting gets everything.
        if (ofClient.end === 'end' && ofGuest.end === 'end' && toClient.length > 0) {
          await until(() => Buffer.concat(heard).length === banner.length + ofClient.whole.length);
          expect(toClient.equals(ofGuest.whole)).toBe(true);
        }
        client.socket.destroy();
        for (const socket of guest.sockets) socket.destroy();
        await until(() => descriptors() <= level);
        expect(rig.clock.pending).toBe(0);
      },
    ),
  );

  holds(
    'comes nothing before sshd has greeted',
    30,
    fc.asyncProperty(
      fc.oneof(garbled(['SSH-1.99-x', 'HTTP/1.1 400 x\r\n', ' SSH-2.0-x']), anyBytes()),
      anyBytes(),
      async (said, asked) => {
        fc.pre(judge(said) === 'other');
        await using rig = await doorRig({ holdMs: 10_000 });
        let heard = 0;
        await using guest = await fakeGuest((socket) => {
          socket.on('data', (chunk: Buffer) => (heard += chunk.length));
          socket.write(said);
        });
        const client = new Client(rig.port);
        client.socket.write(asked);
        rig.door.release(guest.tunnel);
        await until(() => guest.sockets.length > 0);
        while (!client.over) await rig.clock.advance(500);
        expect([heard, client.text]).toEqual([0, '']);
        expect(rig.clock.pending).toBe(0);
      },
    ),
  );
});

function expectPrefix(part: Buffer, whole: Buffer): void {
  expect(part.length).toBeLessThanOrEqual(whole.length);
  expect(part.equals(whole.subarray(0, part.length))).toBe(true);
}

/** Open descriptors of this process, where the system tells; else none. */
function descriptors(): number {
  return process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0;
}
