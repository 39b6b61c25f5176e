import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect, Socket } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { earlyBytesLimit } from '../../src/door/held-client.ts';
import { limitsFor, waitsAtMost } from '../../src/door/door-limits.ts';
import type { Through } from '../../src/door/through.ts';
import { WaitingRoom } from '../../src/door/waiting-room.ts';
import { mostOf, peerOf, usersIn, usersOf } from '../../src/door/peers.ts';
import { descriptorLimit } from '../../src/system/socket/descriptors.ts';
import { readIfThere } from '../../src/system/files/files.ts';
import { silent } from '../../src/system/log.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { bannerLine, Client, doorRig, echoing, fakeGuest, greetingLine, until } from './rig.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { needs } from '../needs.ts';

/** A user of this host whom nobody knows. */
const stranger = 24_083;
const children: ChildProcess[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
});

/** Another user's process that holds so many connections; resolves when each was made. `from`: a port, of as many addresses. */
async function crowdOf(count: number, port: number, says: string, from = 0): Promise<void> {
  const program = `
    const { connect } = require('node:net');
    let [begun, made] = [0, 0];
    const come = () => {
      if (begun++ >= ${count}) return;
      const local = ${from} ? { localAddress: '127.0.1.' + begun, localPort: ${from} } : {};
      const socket = connect({ port: ${port}, host: '127.0.0.1', ...local }, () => {
        socket.write(${JSON.stringify(says)});
        if (++made === ${count}) console.log('made');
        come();
      });
      socket.on('error', () => undefined).resume();
    };
    for (let n = 0; n < 50; n++) come();
    setInterval(() => undefined, 1000);`;
  const child = spawn(process.execPath, ['-e', program], {
    uid: stranger,
    gid: stranger,
    cwd: '/',
    env: {},
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  await once(child.stdout, 'data');
}

// Behaviour 69: On Linux, the owner's and root's connections are let in, however many other users connect and however
// many connections they hold. On macOS, the owner's and root's connections, too, might be dropped if too many
// connections wait, and their clients then have to connect again. If `door` is `unix`, other users cannot connect at
// all.
// Behaviour 70: At most 1,024 connections wait. Of other users' connections, those that have not spoken ssh are
// dropped first, then those of the user who has the most.
// Behaviour 71: Only a limited number of connections that have not logged in reach the guest at a time. If there are
// many, `status` names the user who has the most.
describe('a crowd of another user', needs('root', 'Linux'), () => {
  test.each([
    ['without a word', ''],
    ['that says what ssh says', bannerLine],
  ])('%s, keeps nobody out', async (_, says) => {
    await using rig = await doorRig({ clock: systemClock, limits: { waiting: 60 } });
    await using guest = await fakeGuest((socket) => socket.write(greetingLine));
    // The guest of this test cuts nobody off.
    rig.door.release(guest.tunnel, 3600_000);
    await crowdOf(200, rig.port, says);
    const { held, open, opening } = rig.door.counts();
    expect(held).toBeLessThanOrEqual(60);
    expect(open + opening).toBeLessThanOrEqual(says === '' ? 16 : 48);
    // Whose those are that wait is asked now and then.
    await until(() => {
      const crowd = rig.door.crowd();
      return crowd?.uid === stranger && crowd.waiting > 0;
    });
    for (let n = 0; n < 5; n++) {
      const owner = new Client(rig.port);
      await until(() => owner.text === greetingLine);
      owner.socket.destroy();
    }
    expect(guest.sockets.length).toBeLessThanOrEqual(60);
  });

  test('is not taken for the owner’s where it comes by his port from other addresses', async () => {
    await using rig = await doorRig({ clock: systemClock, limits: { waiting: 60 } });
    const owner = new Client(rig.port);
    await until(() => rig.door.counts().held === 1);
    await crowdOf(200, rig.port, bannerLine, owner.socket.localPort);
    // Whose they are is asked now and then.
    await until(() => {
      const crowd = rig.door.crowd();
      return crowd?.waiting === 59 && crowd.uid !== undefined;
    });
    expect(rig.door.crowd()).toEqual({ uid: stranger, waiting: 59, newcomers: 0 });
    expect(owner.over).toBe(false);
    owner.socket.destroy();
  });

  test('that fills the door while the guest is away does not push out who waits there', async () => {
    await using rig = await doorRig({ clock: systemClock, limits: { waiting: 60 } });
    await using guest = await fakeGuest(echoing);
    const owner = new Client(rig.port);
    await until(() => rig.door.counts().held === 1);
    await crowdOf(200, rig.port, bannerLine);
    const full = () => rig.entries.filter(({ event }) => event === 'door-full');
    await until(() => full().length > 0 && rig.door.counts().held === 60);
    rig.door.release(guest.tunnel);
    await until(() => owner.text === greetingLine);
    owner.socket.destroy();
    expect(full()).toHaveLength(1);
  });
});

/** A room whose users are told by a table that takes 300 ms to read. */
function slowRoom(clock: FakeClock) {
  const seen = { asked: 0, changes: 0 };
  const users = () => {
    seen.asked++;
    void clock.jump(300);
    return new Map<string, number>();
  };
  const room = new WaitingRoom({
    clock,
    log: silent,
    holdMs: () => 180_000,
    limits: () => limitsFor(4096),
    users,
    onChange: () => seen.changes++,
  });
  const through = { pairs: [], count: 0, newcomersByUser: new Map() } as unknown as Through;
  return { room, through, seen };
}

// Behaviour 72: However long other users make the system's table of connections, the daemon normally spends at most a
// tenth of its time reading it, and at most half if it would otherwise have to drop connections without knowing whose
// they are.
test.each([2, 100])('a table that takes long is seldom read, with %d that wait', async (count) => {
  const clock = new FakeClock();
  const { room, through, seen } = slowRoom(clock);
  const begun = clock.monotonic();
  while (clock.monotonic() - begun < 30_000) {
    // There is always one about whom nobody has asked.
    for (let n = 0; n < (seen.asked === 0 ? count : 1); n++) room.arrive(new Socket());
    room.identify(through);
    await clock.advance(50);
  }
  expect(seen.asked).toBeGreaterThan(5);
  expect(seen.asked).toBeLessThanOrEqual(11);
  expect(seen.changes).toBeGreaterThan(5);
});

test('after all were sent off, those that come are asked about when the table may be read again', async () => {
  const clock = new FakeClock();
  const { room, through, seen } = slowRoom(clock);
  const comes = () => {
    room.arrive(new Socket());
    room.identify(through);
  };
  comes();
  comes();
  room.dropAll('door-refused', 'no guest will come');
  expect(clock.pending).toBe(0);
  comes();
  await clock.advance(2_999);
  const { changes } = seen;
  await clock.advance(1);
  expect(seen.changes).toBe(changes + 1);
  room.identify(through);
  expect(seen.asked).toBe(2);
});

test('a table that takes long has nobody dropped who may be the owner', async () => {
  const clock = new FakeClock();
  let asked = 0;
  const strangers = new Map<string, number>();
  const users = () => {
    asked++;
    void clock.jump(300);
    return strangers;
  };
  const limits = () => ({ ...limitsFor(4096), waiting: 100 });
  const options = { clock, log: silent, holdMs: () => 180_000, limits, users };
  const room = new WaitingRoom({ ...options, onChange: () => undefined });
  const through = { pairs: [], count: 0, newcomersByUser: new Map() } as unknown as Through;
  let port = 0;
  const come = () => {
    const [socket, remotePort] = [new Socket(), ++port];
    Object.defineProperties(socket, {
      remoteAddress: { value: '127.0.0.1' },
      remotePort: { value: remotePort },
    });
    room.arrive(socket);
    socket.emit('data', Buffer.from(bannerLine));
    room.makeRoom(through);
    return socket;
  };
  const crowd = (count: number) => {
    for (let n = 0; n < count; n++) strangers.set(peerOf(come()), stranger);
  };
  vi.spyOn(Math, 'random').mockReturnValue(0);
  crowd(101);
  expect(asked).toBe(1);
  const owner = come();
  for (let n = 0; n < 10; n++) {
    await clock.advance(301);
    crowd(99);
  }
  expect(owner.destroyed).toBe(false);
  expect(asked).toBeLessThanOrEqual(11);
  vi.restoreAllMocks();
});

test('who of the others has most connections to a port is told, and neither root nor oneself', () => {
  const users = new Map([5, 0, 0, 0, 7, 8, 8, 5, 5].map((uid, at) => [`0100007F:${at}`, uid]));
  expect(mostOf(users, 5)).toEqual({ uid: 8, connections: 2 });
  expect(mostOf(users, 8)).toEqual({ uid: 5, connections: 3 });
  expect(mostOf(new Map([['0100007F:1', 0]]), 5)).toBeUndefined();
});

test('whose a connection is, is read from the table of the system', async () => {
  const table = [
    '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
    '   0: 0100007F:5E13 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 11 1',
    '   1: 0100007F:9C40 0100007F:5E13 01 00000000:00000000 00:00000000 00000000  1001        0 12 1',
    '   2: 0100007F:5E13 0100007F:9C40 01 00000000:00000000 00:00000000 00000000  1000        0 13 1',
    '   3: 0100007F:9C42 0100007F:5E13 06 00000000:00000000 03:00000000 00000000     0        0 0 3',
    '   4: 0100007F:9C44 0100007F:5E14 01 00000000:00000000 00:00000000 00000000  1002        0 14 1',
    // Another user's, by the same port of another address.
    '   5: 0200007F:9C40 0100007F:5E13 01 00000000:00000000 00:00000000 00000000  1003        0 15 1',
    // Another user's, from an IPv6 socket.
    '   6: 0000000000000000FFFF00000100007F:9C46 0000000000000000FFFF00000100007F:5E13 01 00000000:00000000 00:00000000 00000000  1004        0 16 1',
    '   7: 00000000000000000000000001000000:9C48 00000000000000000000000001000000:5E13 01 00000000:00000000 00:00000000 00000000  1005        0 17 1',
  ].join('\n');
  const users = usersIn(table, 0x5e13);
  expect(users.size).toBe(3);
  expect(users.get(peerOf({ remoteAddress: '127.0.0.1', remotePort: 0x9c40 }))).toBe(1001);
  expect(users.get(peerOf({ remoteAddress: '127.0.0.2', remotePort: 0x9c40 }))).toBe(1003);
  expect(users.get(peerOf({ remoteAddress: '127.0.0.1', remotePort: 0x9c46 }))).toBe(1004);
  await using rig = await doorRig();
  const { socket } = new Client(rig.port);
  await until(() => rig.door.counts().held === 1);
  if (process.platform === 'linux')
    expect([...(usersOf(rig.port) ?? [])]).toEqual([
      [
        peerOf({ remoteAddress: socket.localAddress, remotePort: socket.localPort }),
        process.getuid?.(),
      ],
    ]);
  socket.destroy();
});

test(
  'whose a connection of an IPv6 socket is, is told as well',
  needs('Linux', { path: '/proc/net/tcp6' }),
  async () => {
    await using rig = await doorRig();
    const socket = connect(rig.port, '::ffff:127.0.0.1');
    await until(() => rig.door.counts().held === 1);
    const peer = peerOf({ remoteAddress: '127.0.0.1', remotePort: socket.localPort });
    expect([...(usersOf(rig.port) ?? [])]).toEqual([[peer, process.getuid?.()]]);
    socket.destroy();
  },
);

// Behaviour 67: A client that disconnects while it waits is forgotten at once, and the guest never sees it. This
// holds even if the client has sent as much as the door accepts from a waiting client.
describe('a crowd that has left', () => {
  test.each([
    ['ended', (client: Client) => client.socket.end()],
    ['reset', (client: Client) => client.socket.resetAndDestroy()],
  ])('is forgotten when it has said all it may and then %s', async (_, goAway) => {
    await using rig = await doorRig();
    const crowd = Array.from(
      { length: 50 },
      () => new Client(rig.port, bannerLine.padEnd(earlyBytesLimit, 'x')),
    );
    await until(() => rig.door.counts().held === 50);
    await until(() => crowd.every(({ socket }) => socket.writableLength === 0));
    for (const client of crowd) goAway(client);
    await until(() => rig.door.counts().held === 0);
    for (const { socket } of crowd) socket.destroy();
  });

  test('is never led to the guest, which is there', async () => {
    await using rig = await doorRig({ clock: systemClock });
    await using guest = await fakeGuest(echoing);
    rig.door.release(guest.tunnel);
    for (let n = 0; n < 300; n++) {
      const socket = connect(rig.port, '127.0.0.1');
      await once(socket, 'connect');
      if (n % 2 === 0) socket.write(bannerLine);
      const { localPort = 0 } = socket;
      socket.destroy();
      untilItsEndIsThere(rig.port, localPort);
    }
    await until(
      () => rig.entries.filter(({ event }) => event === 'door-client-gone').length === 300,
    );
    expect(guest.sockets).toHaveLength(0);
  });
});

/**
 * Until the kernel has a client's end for the door to read, where it tells: on a busy machine that may come later than its words. Nothing
 * else of this process happens meanwhile. From proc(5), /proc/net/tcp: 08 is CLOSE_WAIT.
 */
function untilItsEndIsThere(door: number, client: number): void {
  const end = (port: number) => `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const row = `${end(door)} ${end(client)} 08`;
  for (let looks = 0; looks < 100_000; looks++)
    if (readIfThere('/proc/net/tcp')?.includes(row) !== false) return;
}

describe('descriptors', () => {
  test('are kept in reserve: whoever is one too many is sent off', async () => {
    await using rig = await doorRig({ limits: { descriptors: 40 } });
    await using guest = await fakeGuest(echoing);
    const crowd = Array.from({ length: 60 }, () => new Client(rig.port));
    await until(() => crowd.filter(({ over }) => over).length === 20);
    expect(rig.door.counts().held).toBe(40);
    rig.door.release(guest.tunnel);
    const used = () => {
      const { held, opening, open } = rig.door.counts();
      return held + 2 * (opening + open);
    };
    for (let n = 0; n < 20; n++) await rig.clock.advance(100);
    expect(used()).toBeLessThanOrEqual(42);
    for (const { socket } of crowd) socket.destroy();
    await until(() => used() === 0);
  });

  test('more than enough of them let no more than 1,024 wait, and few leave some for the daemon', () => {
    const waits = (most: number) => waitsAtMost(limitsFor(most), { opening: 0, open: 0 });
    expect(waits(1_000_000)).toBe(1024);
    expect(waits(1024)).toBe(1024 - 128);
    expect(waits(256)).toBe(128);
  });

  test('the limit is the one that this process has', async () => {
    expect(await descriptorLimit()).toBeGreaterThanOrEqual(256);
  });
});
