import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Version } from './version.ts';
import { openVsock } from './vsock.ts';
import { removeTree } from '../../remove-tree.ts';

let dir = '';
let guest: Server;
let opened: Awaited<ReturnType<typeof openVsock>>;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'vs-'));
  guest = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(guest, 'listening');
});
afterEach(() => {
  opened?.close();
  guest.close();
  removeTree(dir);
});

/** Both ends of one connection. */
async function joined(version: Version): Promise<readonly [host: Socket, inside: Socket]> {
  const socketUrl = join(dir, 'ssh');
  const { port } = guest.address() as AddressInfo;
  const inside = once(guest, 'connection') as Promise<[Socket]>;
  opened = await openVsock(
    { kind: 'vsock', port: 22, socketUrl, direction: 'connect' },
    {
      version,
      portOf: () => Promise.resolve(port),
      warn: expect.unreachable,
      say: expect.unreachable,
    },
  );
  const host = connect({ path: socketUrl, allowHalfOpen: true });
  const [socket] = await inside;
  host.on('error', () => undefined);
  socket.on('error', () => undefined);
  return [host, socket];
}

test('bytes go both ways', async () => {
  const [host, inside] = await joined('0.6.4');
  host.write('question');
  expect(String((await once(inside, 'data'))[0])).toBe('question');
  inside.write('answer');
  expect(String((await once(host, 'data'))[0])).toBe('answer');
  inside.destroy();
});

test('the host hangs up: the guest is not told, until it writes', async () => {
  const [host, inside] = await joined('0.6.4');
  let isTold = false;
  inside.on('end', () => (isTold = true)).on('data', () => undefined);
  host.write('last words');
  await once(inside, 'data');
  host.destroy();
  await once(host, 'close');
  // A second connection goes the whole way meanwhile.
  const second = connect(join(dir, 'ssh'));
  const [other] = (await once(guest, 'connection')) as [Socket];
  expect(isTold).toBe(false);
  inside.write('are you there?');
  await once(inside, 'end');
  inside.destroy();
  second.destroy();
  other.destroy();
});

test('the guest hangs up: the host sees it since 0.6.2', async () => {
  const [host, inside] = await joined('0.6.2');
  host.resume();
  inside.end();
  await once(host, 'end');
  host.destroy();
});

test('the guest hangs up: before 0.6.2 the host does not', async () => {
  const [host, inside] = await joined('0.6.1');
  let isTold = false;
  host.on('end', () => (isTold = true)).resume();
  inside.destroy();
  await once(inside, 'close');
  const second = connect(join(dir, 'ssh'));
  const [other] = (await once(guest, 'connection')) as [Socket];
  expect(isTold).toBe(false);
  second.destroy();
  other.destroy();
  host.destroy();
});
