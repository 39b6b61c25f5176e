import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { splice, type SpliceEnd } from '../../src/door/splice.ts';
import { FakeClock } from '../fakes/fake-clock.ts';

/** client — [ours, theirs] — guest: the pair in the middle is spliced. */
let sockets: Socket[] = [];
let clock: FakeClock;
let client: Socket;
let guest: Socket;
let end: Promise<SpliceEnd>;

beforeEach(async () => {
  clock = new FakeClock();
  const [a, b] = [await pair(), await pair()];
  [client, guest] = [a[0], b[0]];
  end = splice(a[1], b[1], { clock, silenceMs: 3_000 });
});
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  sockets = [];
});

async function pair(): Promise<[Socket, Socket]> {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const outer = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const [inner] = (await once(server, 'connection')) as [Socket];
  server.close();
  for (const socket of [outer, inner]) socket.on('error', () => undefined);
  sockets.push(outer, inner);
  return [outer, inner];
}

const heard = async (socket: Socket) => String(((await once(socket, 'data')) as [Buffer])[0]);

test('the end of a half is put off while the guest speaks, and comes when it is silent', async () => {
  let ended = false;
  const over = once(guest, 'end').then(() => (ended = true));
  guest.resume();
  client.end('last words');
  await clock.waiting();
  guest.write('I go on');
  expect(await heard(client)).toBe('I go on');
  await clock.advance(3_000);
  guest.write('and on');
  expect(await heard(client)).toBe('and on');
  expect(ended).toBe(false);
  await clock.advance(3_000);
  await clock.advance(3_000);
  await over;
  guest.end();
  client.resume();
  expect(await end).toEqual({ kind: 'finished' });
});

test('a guest that ends gets its end at once', async () => {
  client.resume();
  guest.end('bye');
  await once(client, 'end');
  client.end();
  guest.resume();
  expect(await end).toEqual({ kind: 'finished' });
});

test('a client that is reset takes the guest along', async () => {
  guest.resume();
  client.resetAndDestroy();
  expect((await end).kind).toBe('reset');
});

test('a guest that is reset takes the client along, even when that has ended its half', async () => {
  client.end('last words');
  expect(await heard(guest)).toBe('last words');
  await clock.waiting();
  guest.resetAndDestroy();
  expect((await end).kind).toBe('reset');
});

test('a client that does not end after its guest is cut off', async () => {
  guest.end('bye');
  // It never reads: so it does not see the end either.
  await clock.waiting();
  await clock.advance(9_999);
  expect(client.destroyed).toBe(false);
  const closed = once(client.resume(), 'close');
  await clock.advance(1);
  expect((await end).kind).toBe('reset');
  client.end();
  await closed;
  expect(clock.pending).toBe(0);
});
