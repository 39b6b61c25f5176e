import { once } from 'node:events';
import { mkdtempSync, readdirSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Door } from '../../src/door/door.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import {
  Client,
  doorRig,
  echo,
  echoing,
  fakeGuest,
  greetingLine,
  until,
  type FakeGuest,
  type Rig,
} from './rig.ts';
import { removeTree } from '../remove-tree.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
const MiB = 1024 ** 2;

const descriptors = (): number => readdirSync('/proc/self/fd').length;
/** What is really held: after garbage was collected, with the buffers outside of the heap. */
function heldBytes(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
const nobody = { held: 0, opening: 0, open: 0, loggedIn: 0, entering: 0 };
const isEmpty = (door: Door) => () => {
  const { held, opening, open } = door.counts();
  return held + opening + open === 0;
};

let before = 0;
const clients: Client[] = [];
beforeEach(async () => {
  // Sockets of the test before this one close in their own time.
  for (let last = -1; last !== before;) {
    last = before = descriptors();
    await systemClock.sleep(20);
  }
});
afterEach(async () => {
  for (const { socket } of clients.splice(0)) socket.destroy();
  await until(() => descriptors() <= before);
});

/** Ended with the test at the latest. */
function come({ place }: Door, says?: string): Client {
  const client = new Client(place.kind === 'tcp' ? place.port : place.path, says);
  clients.push(client);
  return client;
}
const many = (count: number, door: Door, says?: string) =>
  Array.from({ length: count }, () => come(door, says));

/** A build that sends and gets 8 MiB through the door, byte for byte; how long that took in ms. */
async function build(door: Door): Promise<number> {
  const client = come(door);
  const text = 'derivation '.repeat((8 * MiB) / 11);
  const begun = performance.now();
  await until(() => client.text === greetingLine);
  client.socket.end(text);
  await until(() => client.ended);
  expect(client.text.length).toBe(greetingLine.length + text.length);
  expect(client.text.endsWith(text)).toBe(true);
  return performance.now() - begun;
}

/** The quickest of up to five: what else this machine does makes some of them slower; a door that is slow is slow every time. */
async function quickest(door: Door, isQuick: (ms: number) => boolean): Promise<number> {
  let least = Infinity;
  for (let n = 0; n < 5 && !isQuick(least); n++) least = Math.min(least, await build(door));
  return least;
}
const inThreeSeconds = (ms: number) => ms < 3_000;

/** Whoever is there is let in, says who it is, hears it again and goes. */
async function comeAndGo(rig: Rig, guest: FakeGuest, size: number) {
  const { door } = rig;
  door.hold('the guest is away');
  const crowd = many(size, door);
  for (const [n, { socket }] of crowd.entries()) socket.write(`SSH-2.0-client-${n}\r\n`);
  await until(() => door.counts().held === size);
  door.release(guest.tunnel);
  const answered = ({ text }: Client, n: number) =>
    text === `${greetingLine}SSH-2.0-client-${n}\r\n`;
  let told = 0;
  const isIn = () => {
    const { open } = door.counts();
    if (open - told >= 32) door.tellLoggedIn((told = open));
    return open === size;
  };
  // Whose they are is not asked twice at the same time.
  await rig.clock.advance(300);
  await until(isIn);
  await until(() => crowd.every(answered));
  expect(door.counts()).toMatchObject({ held: 0, opening: 0, open: size });
  for (const { socket } of crowd) socket.end();
  clients.length = 0;
  await until(isEmpty(door));
}

// Behaviour 68: A build continues despite a thousand waiting connections, and despite hundreds of connections that
// never send, never read or are reset. Once they are gone, memory and descriptors return to their previous level.
test('a thousand are held, let in and gone; again and again, and nothing is kept of them', async () => {
  await using rig = await doorRig();
  await using guest = await fakeGuest(echoing);
  const atRest = descriptors();
  const kept: number[] = [];
  // The first round warms caches; from then on a connection that left half a kilobyte would show, in every round. What else
  // comes to life in this process shows in one.
  const grew = () => (kept.at(-1) ?? NaN) - (kept.at(-2) ?? NaN);
  while (kept.length < 3 || (kept.length < 6 && grew() >= 0.5 * MiB)) {
    await comeAndGo(rig, guest, 1_000);
    guest.sockets.length = rig.entries.length = 0;
    await until(() => descriptors() <= atRest);
    kept.push(heldBytes());
  }
  expect(rig.clock.pending).toBe(0);
  expect(grew()).toBeLessThan(0.5 * MiB);
});

describe('a build goes on at its pace', () => {
  test('beside a hundred that read nothing, whose bytes stay with the guest', async () => {
    await using rig = await doorRig({ clock: systemClock });
    await using guest = await fakeGuest((socket, number) => {
      socket.write(greetingLine);
      if (number <= 100) flood(socket);
      else echo(socket);
    });
    rig.door.release(guest.tunnel);
    const idle = heldBytes();
    const slow = many(100, rig.door);
    for (const { socket } of slow) socket.pause();
    const allIn = () => {
      rig.door.tellLoggedIn(rig.door.counts().open);
      return rig.door.counts().open === 100;
    };
    await until(allIn);
    await until(() => guest.sockets.every(({ writableNeedDrain }) => writableNeedDrain));
    // Of each: what its two sockets at the door hold, and what the guest of this test could not send; 0.3 to 1 MiB, as the Node.
    // A door that read on would never let the guests come to a halt.
    expect(heldBytes() - idle).toBeLessThan(100 * 2 * MiB);
    expect(await quickest(rig.door, inThreeSeconds)).toBeLessThan(3_000);
    for (const { socket } of slow) socket.destroy();
    await until(isEmpty(rig.door));
  });

  test('beside five hundred that never say a word, of which the guest hears of a few', async () => {
    await using rig = await doorRig({ clock: systemClock });
    await using guest = await fakeGuest(echoing);
    rig.door.release(guest.tunnel);
    const alone = await build(rig.door);
    const mute = many(500, rig.door, '');
    await until(() => rig.door.counts().open === 16 && rig.door.counts().held === 484);
    const limitMs = 4 * alone + 500;
    expect(await quickest(rig.door, (ms) => ms < limitMs)).toBeLessThan(limitMs);
    expect(mute.filter(({ text }) => text === greetingLine)).toHaveLength(16);
    expect(guest.sockets.length).toBeLessThan(30);
    for (const { socket } of mute) socket.destroy();
    await until(isEmpty(rig.door));
  });

  test('while five hundred come and reset at once', async () => {
    await using rig = await doorRig({ clock: systemClock });
    await using guest = await fakeGuest(echoing);
    rig.door.release(guest.tunnel);
    const built = build(rig.door);
    for (let n = 0; n < 500; n++) {
      const client = come(rig.door);
      client.socket.once('connect', () => client.socket.resetAndDestroy());
    }
    await built;
    await until(isEmpty(rig.door));
    expect(await quickest(rig.door, inThreeSeconds)).toBeLessThan(3_000);
  });
});

test('those who never say a word while the guest is away go at the limit, all of them', async () => {
  await using rig = await doorRig({ holdMs: 30_000 });
  const mute = many(300, rig.door, '');
  await until(() => rig.door.counts().held === 300);
  await rig.clock.advance(30_000);
  await until(() => mute.every(({ over }) => over));
  expect(rig.door.counts()).toEqual(nobody);
  expect(rig.clock.pending).toBe(0);
});

test('those who talk without end while the guest is away are sent off', async () => {
  await using rig = await doorRig();
  const idle = heldBytes();
  const loud = many(50, rig.door);
  for (const { socket } of loud) flood(socket);
  await until(() => loud.every(({ over }) => over));
  expect(heldBytes() - idle).toBeLessThan(50 * 2 * MiB);
  await until(isEmpty(rig.door));
});

const banner = 'SSH-2.0-client\r\n';
const ends = {
  ended: (socket: Socket) => void socket.end(),
  reset: (socket: Socket) => void socket.resetAndDestroy(),
};

describe.each(['ended', 'reset'] as const)('a connection that is %s', (how) => {
  test('by the client, at each byte of what it says first, disturbs nobody', async () => {
    await using rig = await doorRig();
    await using guest = await fakeGuest(echoing);
    for (const isReady of [false, true]) {
      if (isReady) rig.door.release(guest.tunnel);
      for (let length = 0; length <= banner.length; length++) {
        const client = come(rig.door, '');
        await once(client.socket, 'connect');
        client.socket.write(banner.slice(0, length), () => ends[how](client.socket));
        await until(() => client.over && isEmpty(rig.door)());
      }
    }
    const last = come(rig.door);
    await until(() => last.text === greetingLine);
    last.socket.destroy();
    await until(isEmpty(rig.door));
    expect(rig.clock.pending).toBe(0);
  });

  // Behaviour 64: No byte from a client is passed on before the guest's sshd has sent its greeting. If the connection
  // to sshd breaks before that, nothing that the client has sent is lost.
  test('by the guest, at each byte of its greeting: asked again until it has greeted, then passed on', async () => {
    for (let length = 0; length <= greetingLine.length; length++) {
      await using rig = await doorRig();
      await using guest = await fakeGuest((socket, number) => {
        if (number > 1) return echoing(socket);
        if (length === 0) return ends[how](socket);
        socket.write(greetingLine.slice(0, length), () => ends[how](socket));
      });
      rig.door.release(guest.tunnel);
      const client = come(rig.door);
      const greets = length >= 'SSH-2.0-'.length;
      while (greets ? !client.over : client.text !== greetingLine) {
        await rig.clock.advance(50);
        // It may have been reset before the door had read as much as a greeting.
        if (client.text === greetingLine && guest.sockets.length > 1) break;
      }
      // Never two greetings in a row, nor a piece of one before another.
      expect(greetingLine.startsWith(client.text), `${length} bytes`).toBe(true);
      client.socket.destroy();
      await until(isEmpty(rig.door));
      expect(rig.clock.pending).toBe(0);
    }
  });
});

describe('a tunnel that wants to be told where to lead', () => {
  const hello = '00000003.00000016\n';
  let dir = '';
  beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), 'door-'))));
  afterEach(() => removeTree(dir));

  /** Gives the first connection to `behave`; the next one works. */
  async function socketGuest(answer: string, behave: (socket: Socket) => void) {
    const path = join(dir, 'connect');
    let count = 0;
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      if (++count === 1) return behave(socket);
      socket.once('data', (said: Buffer) => {
        expect(said.toString()).toBe(hello);
        socket.write(answer + greetingLine);
      });
    }).listen(path);
    await once(server, 'listening');
    const tunnel = { kind: 'unix', path, hello, answer, endsTogether: true } as const;
    return { tunnel, [Symbol.asyncDispose]: () => closed(server) };
  }
  const closed = (server: ReturnType<typeof createServer>): Promise<void> =>
    new Promise((resolve) => server.close(() => resolve()));

  test.each([['HyperKit', ''] as const, ['gvproxy', 'OK'] as const])(
    "and is lost at each byte of %s's handshake is asked again; the client hears one greeting",
    async (_, answer) => {
      const said = answer + greetingLine;
      const losses: ((socket: Socket) => void)[] = [
        (socket) => socket.destroy(),
        (socket) => socket.once('data', () => socket.destroy()),
        ...Array.from(
          { length: answer.length + 'SSH-2.0'.length },
          (_each, n) => (socket: Socket) =>
            void socket.once('data', () =>
              socket.write(said.slice(0, n + 1), () => socket.destroy()),
            ),
        ),
      ];
      for (const loss of losses) {
        await using rig = await doorRig();
        await using guest = await socketGuest(answer, loss);
        rig.door.release(guest.tunnel);
        const client = come(rig.door);
        while (client.text !== greetingLine) await rig.clock.advance(50);
        client.socket.destroy();
        // A guest behind vsock is told of the end when it has been silent.
        while (!isEmpty(rig.door)()) await rig.clock.advance(1_000);
      }
    },
  );

  test('and carries so many at a time: whoever is more waits for one that goes', async () => {
    await using rig = await doorRig();
    await using guest = await socketGuest('', (socket) => socket.resume().write(greetingLine));
    rig.door.release({ ...guest.tunnel, atMost: 5 });
    const first = many(5, rig.door);
    await until(() => first.every(({ text }) => text === greetingLine));
    const more = many(3, rig.door);
    await until(() => rig.door.counts().held === 3);
    expect(rig.door.counts()).toMatchObject({ held: 3, opening: 0, open: 5 });
    first[2]?.socket.resetAndDestroy();
    await until(() => more.some(({ text }) => text === greetingLine));
    expect(rig.door.counts()).toMatchObject({ held: 2, opening: 0, open: 5 });
    for (const { socket } of clients) socket.resetAndDestroy();
    await until(isEmpty(rig.door));
  });

  test('and answers a byte at a time is waited for', async () => {
    await using rig = await doorRig();
    await using guest = await socketGuest('OK', (socket) => {
      socket.once('data', () => void drip(socket, `OK${greetingLine}`));
    });
    rig.door.release(guest.tunnel);
    const client = come(rig.door);
    await until(() => client.text === greetingLine);
    client.socket.destroy();
    while (!isEmpty(rig.door)()) await rig.clock.advance(1_000);
  });
});

/** Sends as much as is taken, for ever. */
function flood(socket: Socket): void {
  const chunk = Buffer.alloc(64 * 1024, 'x');
  const more = () => {
    while (!socket.destroyed && socket.write(chunk)) continue;
  };
  socket.on('drain', more);
  more();
}

async function drip(socket: Socket, text: string): Promise<void> {
  for (const byte of text) {
    socket.write(byte);
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}
