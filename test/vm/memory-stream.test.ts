import { once } from 'node:events';
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../src/system/time/clock.ts';
import { MemoryStream } from '../../src/vm/qemu/memory-stream.ts';
import { removeTree } from '../remove-tree.ts';

let dir: string;
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'stream-'))));
afterEach(() => removeTree(dir));

const { signal } = new AbortController();

test('who closes it in the midst of a guest has nothing written any more', async () => {
  const socket = join(dir, 'socket');
  const stream = await MemoryStream.listen(socket, join(dir, 'file'));
  const vm = connect(socket);
  vm.on('error', () => undefined).resume();
  await once(vm, 'connect');
  // Not by once(), which an error would end.
  const gone = new Promise((done) => vm.once('close', done));
  vm.write('half of a guest');
  const written = expect(stream.written).rejects.toMatchObject({
    failure: { kind: 'guest-not-saved' },
  });
  while (!existsSync(join(dir, 'file'))) await new Promise((done) => setImmediate(done));
  stream.close();
  await written;
  await gone;
});

test('a guest whose file cannot be read is fed to nobody', async () => {
  const clock = systemClock;
  const feed = MemoryStream.feed(join(dir, 'none'), join(dir, 'socket'), { clock, signal });
  await expect(feed).rejects.toMatchObject({ failure: { kind: 'guest-not-loaded' } });
});

test('a VM that hangs up before it has the guest is not said to have it', async () => {
  const socket = join(dir, 'socket');
  writeFileSync(join(dir, 'file'), Buffer.alloc(5_000_000));
  const vm = createServer((client) => client.destroy());
  vm.listen(socket);
  await once(vm, 'listening');
  const feed = MemoryStream.feed(join(dir, 'file'), socket, { clock: systemClock, signal });
  await expect(feed).rejects.toMatchObject({ failure: { kind: 'guest-not-loaded' } });
  vm.close();
});
