/** The door as a Unix socket: for its owner and root alone, and in all else as a port. */
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { failureOf } from '../../src/system/failure.ts';
import { Client, doorRig, echoing, fakeGuest, greetingLine, until } from './rig.ts';
import { removeTree } from '../remove-tree.ts';

let tree: string;
let directory: string;
let path: string;
beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), 'door-'));
  directory = join(tree, 'door');
  path = join(directory, 'socket');
  mkdirSync(directory, { mode: 0o700 });
});
afterEach(() => removeTree(tree));

const rigHere = () => doorRig({ place: { kind: 'unix', path } });
const failure = () =>
  rigHere().then(
    () => undefined,
    (error: unknown) => `${failureOf(error).kind}, ${failureOf(error).recovery ?? 'retry'}`,
  );

// Behaviour 75: With `door` set to `unix`, the front door opens no port. ssh connects to a Unix socket in a directory
// that only the owner and root can enter.
describe('the door at a socket', () => {
  test('holds whoever comes, and leads them to the guest; nobody is told apart', async () => {
    await using rig = await rigHere();
    await using guest = await fakeGuest(echoing);
    const client = new Client(path);
    await until(() => rig.door.counts().held === 1 && rig.door.hasWaiting);
    rig.door.release(guest.tunnel);
    await until(() => client.text === greetingLine);
    client.socket.write('more');
    await until(() => client.text === `${greetingLine}more`);
    client.socket.end();
    await until(() => client.over && rig.door.counts().open === 0);
    const crowd = Array.from({ length: 20 }, () => new Client(path, ''));
    await until(() => rig.door.counts().held === 20);
    expect(rig.door.crowd()).toEqual({ waiting: 20, newcomers: 0 });
    for (const { socket } of crowd) socket.destroy();
  });

  test('is gone with the door, and the next one takes what a killed one left', async () => {
    const rig = await rigHere();
    expect(statSync(path).isSocket()).toBe(true);
    await rig.door.close();
    expect(existsSync(path)).toBe(false);
    writeFileSync(path, '');
    await using again = await rigHere();
    new Client(path);
    await until(() => again.door.counts().held === 1);
  });

  test('listens again where its directory was taken away and made anew; connections stay', async () => {
    await using rig = await rigHere();
    await using guest = await fakeGuest(echoing);
    rig.door.release(guest.tunnel);
    const before = new Client(path);
    await until(() => before.text === greetingLine);
    removeTree(directory);
    await expect(rig.door.keep()).rejects.toMatchObject({
      failure: { kind: 'door-directory-missing' },
    });
    mkdirSync(directory, { mode: 0o700 });
    await rig.door.keep();
    const { ino } = statSync(path);
    await rig.door.keep();
    expect(statSync(path).ino).toBe(ino);
    const after = new Client(path);
    await until(() => after.text === greetingLine);
    before.socket.write('still');
    await until(() => before.text === `${greetingLine}still`);
  });
});

// Behaviour 77: If several daemons are set to use the same socket, only one of them gets it, and the others do not
// remove it.
describe('of two', () => {
  test('that come at once, to what a killed one left, one listens', async () => {
    writeFileSync(path, '');
    const both = await Promise.allSettled([rigHere(), rigHere()]);
    const rigs = both.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    try {
      const kinds = both.map((each) =>
        each.status === 'fulfilled' ? 'listens' : failureOf(each.reason).kind,
      );
      expect(kinds.sort()).toEqual(['door-socket-taken', 'listens']);
      new Client(path);
      await until(() => rigs[0]?.door.counts().held === 1);
    } finally {
      for (const { door } of rigs) await door.close();
    }
  });

  test('the one whose name another has now leaves it to that, until it is free', async () => {
    await using first = await rigHere();
    removeTree(directory);
    mkdirSync(directory, { mode: 0o700 });
    const second = await rigHere();
    const { ino } = statSync(path);
    await expect(first.door.keep()).rejects.toMatchObject({
      failure: { kind: 'door-socket-taken' },
    });
    expect(statSync(path).ino).toBe(ino);
    await second.door.close();
    await first.door.keep();
    new Client(path);
    await until(() => first.door.counts().held === 1);
  });

  test('a name that leads elsewhere is taken back by whoever has the lock', async () => {
    await using rig = await rigHere();
    rmSync(path);
    writeFileSync(path, '');
    await rig.door.keep();
    new Client(path);
    await until(() => rig.door.counts().held === 1);
  });
});

describe('where it cannot be', () => {
  test('without its directory, which root makes', async () => {
    removeTree(directory);
    expect(await failure()).toBe('door-directory-missing, give-up');
  });

  test('in a directory that others can enter, or that is a link', async () => {
    chmodSync(directory, 0o710);
    expect(await failure()).toBe('door-directory-unsafe, give-up');
    removeTree(directory);
    mkdirSync(join(tree, 'elsewhere'), { mode: 0o700 });
    symlinkSync(join(tree, 'elsewhere'), directory);
    expect(await failure()).toBe('door-directory-unsafe, give-up');
    // One that cannot even be looked at.
    symlinkSync('loop', join(tree, 'loop'));
    path = join(tree, 'loop/door/socket');
    expect(await failure()).toBe('door-directory-unsafe, give-up');
  });

  test('where another builder of the same user listens, which goes on', async () => {
    await using rig = await rigHere();
    expect(await failure()).toBe('door-socket-taken, wait');
    new Client(path);
    await until(() => rig.door.counts().held === 1);
  });

  test('where one listens that knows no lock, as a release before this one does', async () => {
    const server = createServer().listen(path);
    await once(server, 'listening');
    expect(await failure()).toBe('door-socket-taken, wait');
    server.close();
  });

  test('under a name that is no socket’s', async () => {
    mkdirSync(path);
    expect(await failure()).toMatch(/^door-socket-(taken, wait|unusable, retry)$/);
    expect(existsSync(path)).toBe(true);
  });
});

test('an unheard end of one that listens is no reason to wait', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const closed = new Promise((resolve) => server.close(resolve));
  await closed;
  await using rig = await rigHere();
  expect(rig.door.place).toEqual({ kind: 'unix', path });
});
