import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { copyAll } from '../../src/system/process/copy.ts';
import { removeTree } from '../remove-tree.ts';

let dir: string;
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'copy-'))));
afterEach(() => removeTree(dir));

/** Both ends of a connection, of which the first was not read from. */
async function connection(): Promise<readonly [Socket, Socket]> {
  const server = createServer({ pauseOnConnect: true });
  const path = join(dir, 'socket');
  server.listen(path);
  await once(server, 'listening');
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const client = connect(path);
  const [given] = await accepted;
  server.close();
  return [given, client];
}

/** Not by once(), which an error would end. */
const closeOf = (socket: Socket) =>
  new Promise((done) => socket.on('error', () => undefined).once('close', done));

const { signal } = new AbortController();
const exited = { kind: 'exited', code: 0 };

test('all that comes on a socket goes to the file, and all of the file to a socket', async () => {
  const bytes = randomBytes(5_000_000);
  const path = join(dir, 'file');
  const [given, client] = await connection();
  const to = openSync(path, 'wx');
  const copied = copyAll(given, to, signal);
  client.end(bytes);
  expect((await copied).ended).toEqual(exited);
  expect(given.destroyed).toBe(true);
  closeSync(to);
  expect(readFileSync(path).equals(bytes)).toBe(true);

  const [back, reader] = await connection();
  const chunks: Buffer[] = [];
  reader.on('data', (chunk: Buffer) => chunks.push(chunk));
  const from = openSync(path, 'r');
  expect((await copyAll(from, back, signal)).ended).toEqual(exited);
  closeSync(from);
  await once(reader, 'end');
  expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
});

test('what keeps it from going on is in the result, and both ends are let go', async () => {
  const [given, client] = await connection();
  const full = openSync('/dev/full', 'w');
  const copied = copyAll(given, full, signal);
  const gone = closeOf(client);
  client.write(randomBytes(100_000));
  const { ended, stderr } = await copied;
  expect(ended).toEqual({ kind: 'exited', code: 1 });
  expect(stderr).toMatch(/^cat: .+/);
  await gone;
  closeSync(full);
});

test('a copy that is not wanted any more is ended', async () => {
  const [given, client] = await connection();
  const to = openSync(join(dir, 'file'), 'wx');
  const cut = new AbortController();
  const copied = copyAll(given, to, cut.signal);
  const gone = closeOf(client);
  client.resume();
  cut.abort();
  expect((await copied).ended).toEqual({ kind: 'cancelled' });
  await gone;
  // And one that was not wanted to begin with is not begun.
  writeFileSync(join(dir, 'source'), 'x');
  const from = openSync(join(dir, 'source'), 'r');
  expect((await copyAll(from, to, cut.signal)).ended).toEqual({ kind: 'cancelled' });
  closeSync(from);
  closeSync(to);
});

test('a machine without cat says so', async () => {
  const [given, client] = await connection();
  client.resume();
  const gone = closeOf(client);
  const to = openSync(join(dir, 'file'), 'wx');
  vi.stubEnv('PATH', dir);
  try {
    expect(await copyAll(given, to, signal)).toMatchObject({
      ended: { kind: 'not-started', reason: 'ENOENT' },
    });
  } finally {
    vi.unstubAllEnvs();
    closeSync(to);
  }
  await gone;
});
