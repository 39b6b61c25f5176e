import { mkdtempSync } from 'node:fs';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { dial } from '../../src/system/socket/dial.ts';
import { removeTree } from '../remove-tree.ts';

let dir = '';
let server: Server | undefined;
const path = () => join(dir, 'socket');
const never = new AbortController().signal;
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'dial-'))));
afterEach(() => {
  server?.close();
  removeTree(dir);
});

async function serve(behave: (socket: Socket) => void): Promise<void> {
  server = createServer(behave).listen(path());
  await once(server, 'listening');
}
const at = (hello: string, answer: string) =>
  ({ kind: 'unix', path: path(), hello, answer }) as const;

test('hello goes first and in one piece; the next data is the stream', async () => {
  const heard: string[] = [];
  await serve((socket) => {
    socket.on('data', (chunk) => {
      heard.push(String(chunk));
      socket.write('stream');
    });
  });
  const socket = await dial(at('00000003.00000016\n', ''), never);
  const [first] = (await once(socket.resume(), 'data')) as [Buffer];
  expect(String(first)).toBe('stream');
  expect(heard).toEqual(['00000003.00000016\n']);
  socket.destroy();
});

test('the answer is taken off, however it comes', async () => {
  await serve((socket) => {
    socket.once('data', () => {
      socket.write('O');
      setImmediate(() => socket.write('KSSH-2.0-x'));
    });
  });
  const socket = await dial(at('POST /tunnel\r\n\r\n', 'OK'), never);
  const [first] = (await once(socket.resume(), 'data')) as [Buffer];
  expect(String(first)).toBe('SSH-2.0-x');
  socket.destroy();
});

test('another answer is a refusal, with its words', async () => {
  await serve((socket) => void socket.end('HTTP/1.1 404'));
  await expect(dial(at('hello', 'OK'), never)).rejects.toThrow('"HT"');
});
test('an end without an answer', async () => {
  await serve((socket) => void socket.end());
  await expect(dial(at('hello', 'OK'), never)).rejects.toThrow(/^(?!.*").*$/);
});
test('an end before anything could be said is an error of the dial, however soon it comes', async () => {
  await serve((socket) => socket.destroy());
  for (let n = 0; n < 50; n++) {
    const socket = await dial(at('00000003.00000016\n', ''), never).catch(() => undefined);
    if (socket === undefined) continue;
    // It came through just in time: then it is the caller's, and ends.
    socket.on('error', () => undefined).resume();
    await once(socket, 'close');
  }
});
test('nobody there', async () =>
  expect(dial(at('', ''), never)).rejects.toMatchObject({ code: 'ENOENT' }));
test('nobody waits any more', async () => {
  await serve(() => undefined);
  const stop = new AbortController();
  const dialled = dial(at('hello', 'OK'), stop.signal);
  stop.abort(new Error('enough'));
  await expect(dialled).rejects.toThrow('enough');
});
