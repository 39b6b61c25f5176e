import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { relayTo, type Relay } from '../../src/system/socket/relay.ts';
import { removeTree } from '../remove-tree.ts';

let dir = '';
let far: Server;
let relay: Relay;
const peers: Socket[] = [];
const near = () => connect({ path: join(dir, 'near') });

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'relay-'));
  peers.length = 0;
  far = createServer((socket) => void peers.push(socket.on('error', () => undefined)));
  await once(far.listen(join(dir, 'far')), 'listening');
});
afterEach(() => {
  relay.close();
  far.close();
  removeTree(dir);
});

async function open(options?: { readonly isForOne: boolean }): Promise<void> {
  relay = relayTo({ kind: 'unix', path: join(dir, 'far'), hello: 'hello\n', answer: '' }, options);
  await once(relay.server.listen(join(dir, 'near')), 'listening');
}

test('carries both ways behind its greeting, and all that was said before the far end hung up', async () => {
  await open();
  const client = near();
  client.write('question');
  const [peer] = (await once(far, 'connection')) as [Socket];
  let heard = '';
  for await (const chunk of peer) if ((heard += String(chunk)).endsWith('question')) break;
  expect(heard).toBe('hello\nquestion');
  const next = near();
  const [another] = (await once(far, 'connection')) as [Socket];
  another.end('x'.repeat(200_000));
  let length = 0;
  for await (const chunk of next) length += (chunk as Buffer).length;
  expect(length).toBe(200_000);
});

test('one for the first leads nobody else, and goes on carrying that one', async () => {
  await open({ isForOne: true });
  const client = near();
  const [peer] = (await once(far, 'connection')) as [Socket];
  const [error] = (await once(near(), 'error')) as [NodeJS.ErrnoException];
  expect(['ENOENT', 'ECONNREFUSED']).toContain(error.code);
  peer.write('still here');
  const [said] = (await once(client, 'data')) as [Buffer];
  expect(String(said)).toBe('still here');
});

test('its end is the end of what it carries, on both sides', async () => {
  await open();
  const client = near();
  const [peer] = (await once(far, 'connection')) as [Socket];
  relay.close();
  await Promise.all([once(client, 'close'), once(peer.resume(), 'close')]);
});
