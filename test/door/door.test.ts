import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { earlyBytesLimit } from '../../src/door/held-client.ts';
import { greetedBy } from '../../src/door/guest-connection.ts';
import { listen } from '../../src/door/listen.ts';
import { plainly } from '../../src/system/advice.ts';
import { Failed, failureOf } from '../../src/system/failure.ts';
import { bannerLine, Client, doorRig, echoing, fakeGuest, greetingLine, until } from './rig.ts';

// Behaviour 63: The door listens for as long as the daemon runs. A connection that arrives before the guest is ready
// waits for up to `holdSeconds` (by default, three minutes), and goes through once the guest is ready.
describe('while the guest is away', () => {
  test('a client waits, and goes through with what it had said', async () => {
    await using rig = await doorRig();
    await using guest = await fakeGuest(echoing);
    const client = new Client(rig.port);
    client.socket.write('SSH-2.0-client\r\n');
    await until(() => rig.door.counts().held === 1);
    expect(client.text).toBe('');
    rig.door.release(guest.tunnel);
    await until(() => client.text.length >= 2 * 16 + greetingLine.length - 16);
    expect(client.text).toBe(`${greetingLine}SSH-2.0-client\r\n`);
    expect(rig.door.counts()).toEqual({ held: 0, opening: 0, open: 1, loggedIn: 1, entering: 0 });
    expect(rig.door.bytesFromGuest()).toBe(greetingLine.length + 16);
  });

  test('the first goes through a connection that the guest has greeted already, if there is one', async () => {
    await using rig = await doorRig();
    await using guest = await fakeGuest(echoing);
    const greeted = () => greetedBy(guest.tunnel, { ...rig, signal: new AbortController().signal });
    const [client, next] = [new Client(rig.port), new Client(rig.port)];
    await until(() => rig.door.counts().held === 2);
    rig.door.release(guest.tunnel, undefined, await greeted());
    await until(() => client.text.includes(greetingLine) && next.text.includes(greetingLine));
    expect(guest.sockets).toHaveLength(2);

    // Nobody waits for it, or it has ended.
    rig.door.hold('');
    const unused = await greeted();
    rig.door.release(guest.tunnel, undefined, unused);
    expect(unused.destroyed).toBe(true);
    rig.door.hold('');
    const late = new Client(rig.port);
    await until(() => rig.door.counts().held === 1);
    const ended = await greeted();
    ended.destroy();
    rig.door.release(guest.tunnel, undefined, ended);
    await until(() => late.text.includes(greetingLine));
  });

  test.each([
    ['ends', (client: Client) => client.socket.end()],
    ['resets', (client: Client) => client.socket.resetAndDestroy()],
  ])('a client that %s is dropped', async (_, goAway) => {
    await using rig = await doorRig();
    const client = new Client(rig.port);
    await until(() => rig.door.counts().held === 1);
    goAway(client);
    await until(() => rig.door.counts().held === 0);
    expect(rig.entries.at(-1)).toMatchObject({ level: 'debug', event: 'door-client-gone' });
    expect(rig.clock.pending).toBe(0);
  });

  test('a client is not held longer than the limit', async () => {
    await using rig = await doorRig({ holdMs: 30_000 });
    const client = new Client(rig.port);
    await until(() => rig.door.counts().held === 1);
    await rig.clock.advance(29_999);
    expect(rig.door.counts().held).toBe(1);
    await rig.clock.advance(1);
    await until(() => client.over);
    expect(rig.entries.at(-1)).toMatchObject({ level: 'warn', event: 'door-hold-limit' });
    expect(rig.door.counts().held).toBe(0);
  });

  test('a client that says more than ssh does before it is answered is sent off', async () => {
    await using rig = await doorRig();
    const client = new Client(rig.port);
    client.socket.write('x'.repeat(earlyBytesLimit - bannerLine.length));
    await until(() => client.socket.bytesWritten === earlyBytesLimit);
    for (let round = 0; round < 50; round++) await rig.clock.advance(1);
    expect(rig.door.counts().held).toBe(1);
    client.socket.write('x');
    await until(() => client.over && rig.door.counts().held === 0);
    expect(rig.entries.at(-1)).toMatchObject({ level: 'info', event: 'door-noise' });
  });

  test('tells of a client of ssh that waits, and not of one that says nothing or has gone with its first words', async () => {
    let told = 0;
    await using rig = await doorRig({ onWaiting: () => told++ });
    const mute = new Client(rig.port, '');
    const web = new Client(rig.port, 'GET / HTTP/1.1\r\n');
    const hasty = new Client(rig.port);
    hasty.socket.end();
    await until(() => rig.door.counts().held === 2 && hasty.over);
    await rig.clock.advance(1_000);
    expect([told, rig.door.hasWaiting]).toEqual([0, false]);
    const ssh = new Client(rig.port);
    await until(() => told > 0);
    expect(rig.door.hasWaiting).toBe(true);
    for (const { socket } of [mute, web, ssh]) socket.destroy();
    await until(() => rig.door.counts().held === 0);
    expect(rig.door.hasWaiting).toBe(false);
  });

  test('one that says nothing is led to the guest a little later than one that speaks', async () => {
    await using rig = await doorRig();
    await using guest = await fakeGuest(echoing);
    rig.door.release(guest.tunnel);
    const mute = new Client(rig.port, '');
    await until(() => rig.door.counts().held === 1);
    const ssh = new Client(rig.port);
    await until(() => ssh.text === greetingLine);
    await rig.clock.advance(249);
    expect(mute.text).toBe('');
    await rig.clock.advance(1);
    await until(() => mute.text === greetingLine);
  });

  test('one that comes after hold waits for the next release', async () => {
    await using rig = await doorRig();
    await using before = await fakeGuest(echoing);
    await using after = await fakeGuest(echoing);
    rig.door.release(before.tunnel);
    rig.door.hold('the VM ended');
    const client = new Client(rig.port);
    await until(() => rig.door.counts().held === 1);
    rig.door.release(after.tunnel);
    await until(() => client.text === greetingLine);
    expect(before.sockets).toHaveLength(0);
  });
});

// Behaviour 66: After the daemon has given up, it closes connections at once until it can try again, and logs the
// reason.
describe('when no guest will come', () => {
  test('whoever waits and whoever comes is sent off with the reason in the log', async () => {
    await using rig = await doorRig();
    const waiting = new Client(rig.port);
    await until(() => rig.door.counts().held === 1);
    rig.door.refuse('the disk is not ours');
    await until(() => waiting.over);
    const late = new Client(rig.port);
    await until(() => late.over);
    const refused = rig.entries.filter(({ event }) => event === 'door-refused');
    expect(refused.map(({ fields }) => fields['why'])).toEqual(
      Array(2).fill('the disk is not ours'),
    );
  });

  test('hold ends it', async () => {
    await using rig = await doorRig();
    rig.door.refuse('no');
    rig.door.hold('another try');
    const client = new Client(rig.port);
    await until(() => rig.door.counts().held === 1);
    expect(client.over).toBe(false);
  });
});

describe('while it is let in', () => {
  // Behaviour 64: No byte from a client is passed on before the guest's sshd has sent its greeting. If the connection
  // to sshd breaks before that, nothing that the client has sent is lost.
  test('nothing is carried before sshd has greeted', async () => {
    await using rig = await doorRig();
    let heard = '';
    await using guest = await fakeGuest((socket) => {
      socket.on('data', (chunk) => (heard += chunk.toString()));
      socket.write('SSH-2');
    });
    const client = new Client(rig.port);
    client.socket.write('hello');
    rig.door.release(guest.tunnel);
    await until(() => rig.door.counts().opening === 1 && guest.sockets.length === 1);
    await rig.clock.advance(10);
    expect([heard, client.text]).toEqual(['', '']);
    guest.sockets[0]?.write('.0-x\r\n');
    await until(() => heard === `${bannerLine}hello` && client.text === 'SSH-2.0-x\r\n');
  });

  test('a guest that closes, is silent, or is not sshd is asked again', async () => {
    await using rig = await doorRig();
    await using guest = await fakeGuest((socket, number) => {
      if (number === 1) socket.end();
      if (number === 2) socket.resetAndDestroy();
      if (number === 3) socket.write('HTTP/1.1 400 Bad Request\r\n');
      if (number === 5) echoing(socket);
    });
    const client = new Client(rig.port);
    rig.door.release(guest.tunnel);
    for (const [number, why] of [
      [2, 'closed before sshd answered'],
      [3, 'connection reset'],
      [4, 'not sshd'],
      [5, 'no answer within'],
    ] as const) {
      while (guest.sockets.length < number) await rig.clock.advance(500);
      expect(JSON.stringify(rig.entries)).toContain(why);
    }
    await until(() => client.text === greetingLine);
    expect(rig.clock.pending).toBe(0);
  });

  test('a guest that refuses is asked until the limit', async () => {
    await using rig = await doorRig({ holdMs: 10_000 });
    const gone = await fakeGuest(() => undefined);
    await gone[Symbol.asyncDispose]();
    const client = new Client(rig.port);
    rig.door.release(gone.tunnel);
    while (!client.over) await rig.clock.advance(250);
    expect(rig.entries.map(({ event }) => event)).toContain('door-hold-limit');
    const tries = rig.entries.filter(({ event }) => event === 'door-tunnel-not-yet');
    expect(tries.length).toBeGreaterThan(3);
    expect(rig.clock.pending).toBe(0);
  });

  test('no more at a time than there are slots, in order', async () => {
    await using rig = await doorRig({ limits: { handshakes: 2 } });
    await using guest = await fakeGuest(() => undefined);
    const clients: Client[] = [];
    for (let n = 1; n <= 5; n++) {
      clients.push(new Client(rig.port));
      await until(() => rig.door.counts().held === n);
    }
    rig.door.release(guest.tunnel);
    for (let n = 0; n < 5; n++) {
      await until(() => guest.sockets.length >= Math.min(n + 1, 5));
      // A guest that does not greet keeps the next one back for a moment only.
      await rig.clock.advance(100);
      await until(() => guest.sockets.length === Math.min(n + 2, 5));
      await until(() => rig.door.counts().opening === Math.min(2, 5 - n));
      expect(rig.door.counts()).toEqual({
        held: Math.max(0, 3 - n),
        opening: Math.min(2, 5 - n),
        open: n,
        loggedIn: n,
        entering: 0,
      });
      guest.sockets[n]?.write(greetingLine);
      await until(() => clients[n]?.text === greetingLine);
    }
  });

  // Behaviour 65: Connections to the guest are opened one after the other, so that none is lost on a network that
  // cannot take several at once.
  test('a crowd reaches the guest one after the other, each as soon as the one before was greeted', async () => {
    await using rig = await doorRig();
    await using guest = await fakeGuest(() => undefined);
    const clients = Array.from({ length: 10 }, () => new Client(rig.port));
    await until(() => rig.door.counts().held === 10);
    rig.door.release(guest.tunnel);
    for (let n = 1; n <= 10; n++) {
      await until(() => guest.sockets.length === n && rig.door.counts().held === 0);
      expect(rig.door.counts()).toMatchObject({ held: 0, opening: 11 - n, open: n - 1 });
      guest.sockets[n - 1]?.write(greetingLine);
    }
    await until(() => clients.every(({ text }) => text === greetingLine));
  });

  test('a client that leaves frees its slot and its connection', async () => {
    await using rig = await doorRig({ limits: { handshakes: 1 } });
    await using guest = await fakeGuest((socket, number) => {
      if (number === 2) echoing(socket);
    });
    const [first, second] = [new Client(rig.port), new Client(rig.port)];
    await until(() => rig.door.counts().held === 2);
    rig.door.release(guest.tunnel);
    await until(() => guest.sockets.length === 1);
    const connectionLost = once(guest.sockets[0] as Socket, 'close');
    guest.sockets[0]?.on('end', () => guest.sockets[0]?.end()).resume();
    first.socket.destroy();
    await until(() => second.text === greetingLine);
    await connectionLost;
  });

  test('a guest that goes away sends them back into the line', async () => {
    await using rig = await doorRig();
    await using silent = await fakeGuest(() => undefined);
    await using guest = await fakeGuest(echoing);
    const client = new Client(rig.port);
    client.socket.write('hello');
    rig.door.release(silent.tunnel);
    await until(() => silent.sockets.length === 1);
    rig.door.hold('the VM ended');
    expect(rig.door.counts()).toMatchObject({ held: 1, opening: 0, open: 0 });
    rig.door.release(guest.tunnel);
    await until(() => client.text === `${greetingLine}hello`);
  });
});

describe('when it is open', () => {
  test('the guest may end its half and still hear', async () => {
    await using rig = await doorRig();
    let heard = '';
    await using guest = await fakeGuest((socket) => {
      socket.on('data', (chunk) => (heard += chunk.toString()));
      socket.end(greetingLine);
    });
    rig.door.release(guest.tunnel);
    const client = new Client(rig.port);
    await until(() => client.ended);
    client.socket.end('still here');
    await until(() => heard === `${bannerLine}still here` && rig.door.counts().open === 0);
    expect(rig.entries.at(-1)).toMatchObject({ event: 'door-ended', fields: { kind: 'finished' } });
    expect(rig.door.bytesFromGuest()).toBe(greetingLine.length);
  });

  test('the client may end its half and still hear', async () => {
    await using rig = await doorRig();
    await using guest = await fakeGuest((socket) => {
      socket.write(greetingLine);
      socket.resume();
      socket.on('end', () => socket.end('late words'));
    });
    rig.door.release(guest.tunnel);
    const client = new Client(rig.port);
    await until(() => client.text === greetingLine);
    client.socket.end();
    await until(() => client.ended && rig.door.counts().open === 0);
    expect(client.text).toBe(`${greetingLine}late words`);
  });

  test.each(['client', 'guest'] as const)(
    'a reset by the %s ends both, with a reason',
    async (end) => {
      await using rig = await doorRig();
      await using guest = await fakeGuest(echoing);
      rig.door.release(guest.tunnel);
      const client = new Client(rig.port);
      await until(() => client.text === greetingLine);
      (end === 'client' ? client.socket : guest.sockets[0])?.resetAndDestroy();
      await until(() => client.over && guest.sockets[0]?.destroyed === true);
      await until(() => rig.door.counts().open === 0);
      expect(rig.entries.at(-1)).toMatchObject({
        level: 'info',
        event: 'door-ended',
        fields: { kind: 'reset', why: expect.stringMatching(/reset/) as string },
      });
    },
  );

  test('hold leaves it alone', async () => {
    await using rig = await doorRig();
    await using guest = await fakeGuest(echoing);
    rig.door.release(guest.tunnel);
    const client = new Client(rig.port);
    await until(() => client.text === greetingLine);
    rig.door.hold('draining');
    client.socket.write('more');
    await until(() => client.text === `${greetingLine}more`);
  });

  test('a slow reader slows the guest', async () => {
    await using rig = await doorRig();
    await using guest = await fakeGuest((socket) => {
      socket.write(greetingLine);
      socket.end(Buffer.alloc(32 * 1024 * 1024, 'x'));
    });
    rig.door.release(guest.tunnel);
    const client = new Client(rig.port);
    client.socket.pause();
    await until(() => guest.sockets.length === 1 && rig.door.counts().open === 1);
    for (let round = 0; round < 200; round++) await rig.clock.advance(1);
    expect(guest.sockets[0]?.writableLength).toBeGreaterThan(0);
    client.socket.resume();
    await until(() => client.ended);
    expect(client.text.length).toBe(greetingLine.length + 32 * 1024 * 1024);
  });

  test('many at once each get their own bytes', async () => {
    await using rig = await doorRig({ limits: { handshakes: 8, perUser: 60 } });
    await using guest = await fakeGuest(echoing);
    const clients = Array.from({ length: 60 }, () => new Client(rig.port));
    rig.door.release(guest.tunnel);
    await until(() => clients.every(({ text }) => text === greetingLine));
    clients.forEach((client, n) => client.socket.end(`${n};`.repeat(5000)));
    await until(() => clients.every(({ ended }) => ended));
    const wrong = clients.filter(({ text }, n) => text !== greetingLine + `${n};`.repeat(5000));
    expect(wrong).toEqual([]);
    await until(() => rig.door.counts().open === 0);
  });
});

describe('the port', () => {
  test('that is taken is a failure that names who has it', async () => {
    await using rig = await doorRig();
    const failed = await doorRig({ place: rig.door.place }).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(failed).toBeInstanceOf(Failed);
    const { failure } = failed as Failed;
    expect(failure.kind).toBe('door-port-taken');
    expect(failure.message).toContain(`(pid ${process.pid})`);
    expect(plainly(failure.hint)).toContain('--port');
  });

  test('is free again after close, and every connection has ended', async () => {
    const rig = await doorRig();
    await using guest = await fakeGuest(echoing);
    rig.door.release(guest.tunnel);
    const open = new Client(rig.port);
    await until(() => open.text === greetingLine);
    rig.door.hold('the end');
    const held = new Client(rig.port);
    await until(() => rig.door.counts().held === 1);
    const { place } = rig.door;
    await rig.door.close();
    await until(() => open.over && held.over);
    expect(rig.clock.pending).toBe(0);
    await using again = await doorRig({ place });
    expect(again.door.place).toEqual(place);
  });
});

// As a machine that has IPv6 alone says it (seen in a network namespace whose lo had only ::1).
test('without 127.0.0.1 it says so, and names the socket', async () => {
  const server = createServer();
  server.listen = () => {
    const error = Object.assign(new Error('listen EADDRNOTAVAIL'), { code: 'EADDRNOTAVAIL' });
    setImmediate(() => server.emit('error', error));
    return server;
  };
  const failed = await listen(server, 24083).catch(failureOf);
  expect(failed).toMatchObject({ kind: 'door-port-unusable' });
  expect(plainly((failed && failed.hint) ?? '')).toContain('--door unix');
});
