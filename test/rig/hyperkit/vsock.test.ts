import { mkdtempSync } from 'node:fs';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openVsock } from './vsock.ts';
import { removeTree } from '../../remove-tree.ts';

let dir = '';
/** What listens in the guest: says what it is told; ends its half only when it is told `bye`. */
let guest: Server;
let opened: Socket[] = [];
// Long enough for what is on its way, on a machine that is busy.
const resetMs = 1_000;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'vsock-'));
  guest = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => (String(bytes) === 'bye' ? socket.end() : socket.write(bytes)));
  });
  await once(guest.listen(0, '127.0.0.1'), 'listening');
  const { port } = guest.address() as AddressInfo;
  const portOf = (vsock: number) => Promise.resolve(vsock === 22 ? port : undefined);
  const device = { kind: 'sock', cid: 3, directory: dir, forwards: [] } as const;
  expect(await openVsock(device, portOf, resetMs)).toBeUndefined();
});
afterEach(() => {
  for (const socket of opened) socket.destroy();
  opened = [];
  guest.close();
  removeTree(dir);
});

async function client(): Promise<Socket> {
  const socket = connect({ path: join(dir, 'connect'), allowHalfOpen: true });
  opened.push(socket);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}
const says = async (socket: Socket) => String((await once(socket, 'data'))[0]);
/** What comes until the other side is gone. */
const gone = async (socket: Socket) => {
  let got = '';
  socket.on('data', (bytes) => (got += String(bytes)));
  await new Promise((resolve) => socket.once('end', resolve).once('close', resolve));
  return got;
};

describe('who connects', () => {
  test('says 18 bytes, gets no answer to them, and is through', async () => {
    const socket = await client();
    socket.write('00000003.00000016\nhello');
    expect(await says(socket)).toBe('hello');
  });
  test.each([
    ['17 bytes', '00000003.00000016'],
    ['no end of line', '00000003.00000016 '],
    ['another CID', '00000004.00000016\n'],
    ['no hex', '0000000x.00000016\n'],
    ['capital letters', '00000003.0000F3A5\n'],
    ['a port where nobody listens', '00000003.00000017\n'],
  ])('is closed without a word after %s', async (_, hello) => {
    const socket = await client();
    socket.write(hello);
    expect(await gone(socket)).toBe('');
  });
  test('is closed when it says them in two pieces: at the first', async () => {
    const socket = await client();
    socket.write('00000003.');
    // Before the second: both could come as one.
    expect(await gone(socket)).toBe('');
  });
});

test('a stream of which one half was ended carries the other for a while, and is then reset', async () => {
  const socket = await client();
  socket.write('00000003.00000016\nhello');
  expect(await says(socket)).toBe('hello');
  const begun = performance.now();
  socket.end('still');
  expect(await says(socket)).toBe('still');
  expect(await gone(socket)).toBe('');
  expect(performance.now() - begun).toBeGreaterThan(resetMs - 50);
});
