import { mkdtempSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import { openControl, type Commands } from '../../src/supervisor/daemon/control.ts';
import type { Control } from '../../src/supervisor/daemon/control-socket.ts';
import { findStatus } from '../../src/client/found.ts';
import { writeStatus } from '../../src/supervisor/status/status-file.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { tryKernelLock } from '../../src/system/lock/lock.ts';
import { silent } from '../../src/system/log.ts';
import { calm } from '../fakes/commands.ts';
import { statusIn } from '../fakes/status-in.ts';
import { removeTree } from '../remove-tree.ts';

let layout: Layout;
let control: Control | undefined;
let server: Server | undefined;
const asker = { clock: systemClock, signal: new AbortController().signal };
beforeEach(() => {
  layout = layoutOf(mkdtempSync(join(tmpdir(), 'found-')));
  mkdirSync(layout.state);
});
afterEach(() => {
  control?.close();
  server?.close();
  removeTree(layout.root);
});

const ready = () => statusIn({ phase: 'ready', since: 0, attempt: 1 });
const paused = () =>
  statusIn({
    phase: 'paused',
    since: 1,
    attempt: 1,
    why: 'disk-full',
    was: { phase: 'ready', since: 0 },
  });

/** A daemon that says so. */
async function says(status: Commands['status']): Promise<void> {
  control = await openControl(layout, { ...calm, status }, silent);
}

// Behaviour 135: `status` shows what the daemon answers. If the daemon does not answer, `status` shows what the
// daemon last wrote, and when; if a running daemon has written nothing, `status` says so.
describe('what is true', () => {
  test('is what the daemon says, whatever it could not write on a full disk', async () => {
    writeStatus(layout, ready());
    await says(() => ({ ...paused() }));
    expect(await findStatus(layout, asker)).toEqual({
      daemon: 'alive',
      heard: true,
      status: JSON.parse(JSON.stringify(paused())) as unknown,
    });
  });

  test('is what it says where there is no file', async () => {
    await says(() => ({ ...ready() }));
    expect(await findStatus(layout, asker)).toMatchObject({ status: { phase: 'ready' } });
  });

  test.each([
    ['stands still', () => (server = createServer(() => undefined))],
    ['has no socket', () => undefined],
  ])('of one that %s is what it wrote last', async (_, begin) => {
    const listens = begin();
    if (listens !== undefined) await once(listens.listen(layout.control), 'listening');
    writeStatus(layout, ready());
    expect(await findStatus(layout, asker)).toMatchObject({ daemon: 'alive', heard: false });
  });

  test('of one of an earlier release, which does not know the question, is what it wrote', async () => {
    server = createServer((socket) => socket.end('{"ok":false,"error":"unknown command"}\n'));
    await once(server.listen(layout.control), 'listening');
    writeStatus(layout, ready());
    expect(await findStatus(layout, asker)).toMatchObject({ daemon: 'alive', heard: true });
  });

  test('is not that no daemon runs, where one has the lock and says nothing', async () => {
    const lock = tryKernelLock(layout.daemonLock);
    await expect(findStatus(layout, asker)).rejects.toMatchObject({
      failure: { kind: 'daemon-silent', exit: 75 },
    });
    lock?.release();
    expect(await findStatus(layout, asker)).toEqual({ daemon: 'gone', last: undefined });
  });

  test('of a dead one is its last word, and nothing is made for the question', async () => {
    const last = { ...ready(), daemon: { ...ready().daemon, started: 'never' } };
    writeFileSync(layout.status, JSON.stringify(last));
    expect(await findStatus(layout, asker)).toMatchObject({
      daemon: 'gone',
      last: { since: last.since },
    });
    expect(readFileSync(layout.status, 'utf8')).toBe(JSON.stringify(last));
    expect(() => readFileSync(layout.daemonLock)).toThrow('ENOENT');
  });
});
