import { once } from 'node:events';
import { chmodSync, mkdirSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { portFailure } from '../../src/door/listen.ts';
import { listenAtSocket } from '../../src/door/listen-socket.ts';
import { splice } from '../../src/door/splice.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { Client, doorRig, echoing, fakeGuest, until, type Rig } from '../door/rig.ts';
import { directoryShownAs, tells } from './tell.ts';

const errorOf = (code: string) => Object.assign(new Error(`listen ${code}`), { code });
const tree = directoryShownAs('/builder');
const open = async (directory: string) => {
  const server = createServer();
  try {
    (await listenAtSocket(server, join(tree, directory, 'socket'))).leave();
  } finally {
    server.close();
  }
};
const make = (directory: string) => mkdirSync(join(tree, directory), { mode: 0o700 });

/** Why the door did something, as its log has it, once that happened. */
async function reason(event: string, happen: (rig: Rig) => unknown): Promise<unknown> {
  await using rig = await doorRig({ holdMs: 60_000 });
  await happen(rig);
  const found = () => rig.entries.find((entry) => entry.event === event)?.fields['why'];
  await until(() => found() !== undefined);
  return found();
}

/** Why no guest was reached, where one behaves like this. */
const unreached = (behave: Parameters<typeof fakeGuest>[0], then?: 'wait' | 'hold') =>
  reason('door-tunnel-not-yet', async (rig) => {
    const guest = await fakeGuest(behave);
    rig.door.release(guest.tunnel);
    new Client(rig.port);
    await until(() => guest.sockets.length === 1);
    if (then === 'wait') await rig.clock.advance(5_000);
    if (then === 'hold') rig.door.hold('the guest is restarted');
    await until(() => rig.entries.some(({ event }) => event === 'door-tunnel-not-yet'));
    rig.door.hold('the guest is restarted');
    await guest[Symbol.asyncDispose]();
  });

/** How a pair of connections ends when the guest's breaks, before the client has closed its half or after. */
async function broken(when: 'at once' | 'later'): Promise<unknown> {
  const end = () =>
    new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
  const [client, guest] = [end(), end()];
  const ended = splice(client as unknown as Socket, guest as unknown as Socket, {
    clock: new FakeClock(),
  });
  if (when === 'later') {
    client.push(null);
    await until(() => guest.writableFinished);
  }
  guest.destroy(errorOf('ECONNRESET'));
  const how = await ended;
  return how.kind === 'reset' ? how.why : how;
}

tells('door', {
  'The port': {
    'another process listens there': () =>
      portFailure(24083, errorOf('EADDRINUSE'), 'nc (pid 4711)'),
    'a process listens there that cannot be seen': () => portFailure(24083, errorOf('EADDRINUSE')),
    'the machine has no loopback address': () => portFailure(24083, errorOf('EADDRNOTAVAIL')),
    'the port is reserved': () => portFailure(80, errorOf('EACCES')),
    'the system forbids it': () => portFailure(24083, errorOf('EACCES')),
    'anything else': () => portFailure(24083, errorOf('EMFILE')),
  },
  'The socket': {
    'its directory is missing': () => open('missing'),
    'its directory is open to others': () => {
      make('open');
      chmodSync(join(tree, 'open'), 0o755);
      return open('open');
    },
    'another builder listens there': async () => {
      make('taken');
      const other = createServer().listen(join(tree, 'taken/socket'));
      await once(other, 'listening');
      try {
        await open('taken');
      } finally {
        other.close();
      }
    },
    'the name cannot be made': () => {
      make('unusable');
      mkdirSync(join(tree, 'unusable/socket'));
      return open('unusable');
    },
  },
  'Why a client was sent away, in the log': {
    'it is no ssh client': () =>
      reason('door-noise', ({ port }) => new Client(port, 'x'.repeat(20_000))),
    'it ended the connection': () =>
      reason('door-client-gone', ({ port }) => new Client(port).socket.end()),
    'no guest came in time': () =>
      reason('door-hold-limit', async ({ port, door, clock }) => {
        new Client(port);
        await until(() => door.counts().held === 1);
        await clock.advance(60_000);
      }),
    'too many wait': async () => {
      await using rig = await doorRig({ limits: { descriptors: 4 } });
      for (let client = 0; client < 12; client++) new Client(rig.port);
      const found = () => rig.entries.find(({ event }) => event === 'door-too-many');
      await until(() => found() !== undefined);
      return found()?.fields['why'];
    },
    'the daemon ends': () =>
      reason('door-closed', async ({ port, door }) => {
        new Client(port);
        await until(() => door.counts().held === 1);
        await door.close();
      }),
  },
  'Why the guest is not reached yet, in the log': {
    'it says nothing': () => unreached(() => undefined, 'wait'),
    'it closes at once': () => unreached((socket) => void socket.end()),
    'the door holds clients again': () => unreached(() => undefined, 'hold'),
    'something else answers': () => unreached((socket) => void socket.write('HTTP/1.1 400\r\n')),
  },
  'Why a connection broke, in the log': {
    'the guest is gone': () => broken('at once'),
    'the guest is gone after the client has closed its half': () => broken('later'),
  },
  'Why the door holds clients again, in the log': {
    'another guest is ready': () =>
      reason('door-holding', async ({ door }) => {
        await using guest = await fakeGuest(echoing);
        door.release(guest.tunnel);
        door.release(guest.tunnel);
      }),
  },
});
