import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/system/time/clock.ts';
import { connectQmp, parseUsernet, type Qmp } from '../../src/vm/qemu/qmp.ts';
import type { QmpEvent } from '../../src/vm/qemu/qmp-events.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { removeTree } from '../remove-tree.ts';

let dir: string;
let path: string;
const scope = new AbortController();
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'qmp-'));
  path = join(dir, 'qmp.sock');
});
afterEach(() => removeTree(dir));

describe('a real QEMU', () => {
  let qemu: ChildProcess;
  let ended: Promise<unknown>;
  const events: QmpEvent[] = [];
  let onEvent: () => void = () => undefined;
  let closedWhy: Promise<string>;
  const seen = async (type: QmpEvent['type']): Promise<QmpEvent> => {
    for (;;) {
      const found = events.find((event) => event.type === type);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => (onEvent = resolve));
    }
  };
  const launch = (...more: string[]): Promise<Qmp> => {
    events.length = 0;
    const common = ['-S', '-nodefaults', '-display', 'none', '-accel', 'tcg', '-m', '64'];
    const socket = ['-qmp', `unix:${path},server=on,wait=off`];
    let onClosed: (why: string) => void = () => undefined;
    closedWhy = new Promise((resolve) => (onClosed = resolve));
    // Connecting first: it waits for the socket to appear.
    const connected = connectQmp({
      path,
      clock: systemClock,
      signal: scope.signal,
      onClosed,
      onEvent: (event) => {
        events.push(event);
        onEvent();
      },
    });
    qemu = spawn('qemu-system-x86_64', [...common, ...socket, ...more], { stdio: 'inherit' });
    ended = new Promise((resolve) => qemu.once('exit', resolve));
    return connected;
  };
  afterEach(async () => {
    qemu.kill('SIGKILL');
    await ended;
  });

  test('runs commands, says events with their reasons, and that it is gone', async () => {
    const qmp = await launch('-M', 'none');
    expect(await qmp.execute('query-status')).toMatchObject({ running: false });
    expect(await qmp.hmp('info version')).toMatch(/^\d+\.\d+/);
    await expect(qmp.execute('no-such-command')).rejects.toMatchObject({
      failure: {
        kind: 'qmp-refused',
        message: expect.stringContaining('no-such-command') as string,
      },
    });
    await Promise.all([qmp.execute('cont'), qmp.execute('stop'), qmp.execute('quit')]);
    expect(await seen('resume')).toEqual({ type: 'resume' });
    expect(await seen('stop')).toEqual({ type: 'stop' });
    expect(await seen('shutdown')).toEqual({
      type: 'shutdown',
      byGuest: false,
      reason: 'host-qmp-quit',
    });
    expect(await closedWhy).toBeTypeOf('string');
    await expect(qmp.execute('query-status')).rejects.toMatchObject({
      failure: { kind: 'qmp-closed' },
    });
    qmp.close();
  });

  test('tells the host port that leads to sshd when QEMU chose it', async () => {
    const qmp = await launch(
      '-M',
      'pc',
      '-netdev',
      'user,id=n0,hostfwd=tcp:127.0.0.1:0-:22',
      '-device',
      'virtio-net-pci,netdev=n0,romfile=',
    );
    const port = parseUsernet(await qmp.hmp('info usernet'))?.port ?? 0;
    expect(port).toBeGreaterThan(1023);
    expect(parseUsernet(await qmp.hmp('info usernet'), 23)).toBeUndefined();
    await qmp.execute('system_reset');
    expect(await seen('reset')).toEqual({
      type: 'reset',
      byGuest: false,
      reason: 'host-qmp-system-reset',
    });
    qmp.close();
  });

  test('a second client gets no greeting, and the first is not disturbed', async () => {
    const qmp = await launch('-M', 'none');
    const clock = new FakeClock();
    const second = connectQmp({ path, clock, signal: scope.signal });
    const refused = expect(second).rejects.toMatchObject({ failure: { kind: 'qmp-silent' } });
    await clock.waiting();
    await clock.advance(10_000);
    await refused;
    expect(await qmp.execute('query-status')).toMatchObject({ running: false });
    qmp.close();
  });
});

describe('an odd peer', () => {
  let server: Server;
  let peer: Promise<Socket>;
  const greeting = '{"QMP":{"version":{},"capabilities":[]}}\r\n';
  const events: QmpEvent[] = [];
  beforeEach(async () => {
    server = createServer();
    peer = new Promise((resolve) => server.once('connection', resolve));
    await new Promise<void>((resolve) => server.listen(path, resolve));
    events.length = 0;
  });
  afterEach(async () => {
    (await peer).destroy();
    server.close();
  });
  /** Greets in pieces, and answers every command with what answer() gives for its id and name. */
  const talk = async (answer: (id: number, name: string) => string) => {
    const socket = await peer;
    socket.write(greeting.slice(0, 7));
    socket.write(greeting.slice(7));
    socket.on('data', (chunk) => {
      for (const line of chunk.toString().trim().split('\n')) {
        const { id, execute } = JSON.parse(line) as { id: number; execute: string };
        const done = execute === 'qmp_capabilities';
        socket.write(done ? `{"return":{},"id":${id}}\n` : answer(id, execute));
      }
    });
    return socket;
  };
  const open = (clock = new FakeClock()) =>
    connectQmp({ path, clock, signal: scope.signal, onEvent: (event) => events.push(event) });

  test('answers are matched by id; garbage and strange ids are ignored', async () => {
    const opening = open();
    const late: string[] = [];
    const socket = await talk((id, name) => {
      if (name === 'first') {
        late.push(`{"return":"one","id":${id}}\n`);
        return 'garbage\n{"return":"nobody","id":999}\n{"return":"none"}\n[]\nnull\n';
      }
      return `{"return":"two","id":${id}}\n${late.join('')}`;
    });
    const qmp = await opening;
    expect(await Promise.all([qmp.execute('first'), qmp.execute('second')])).toEqual([
      'one',
      'two',
    ]);
    socket.write(
      '{"event":"BLOCK_IO_ERROR","data":{"operation":"write","action":"stop","nospace":true,"reason":"No space"}}\n' +
        '{"event":"GUEST_PANICKED","data":{"action":"pause"}}\n{"event":"SHUTDOWN"}\n{"event":"NEW","data":{"x":1}}\n',
    );
    await qmp.execute('second');
    expect(events).toEqual([
      {
        type: 'block-io-error',
        operation: 'write',
        stopped: true,
        noSpace: true,
        reason: 'No space',
      },
      { type: 'guest-panicked', action: 'pause' },
      { type: 'shutdown', byGuest: false, reason: '' },
      { type: 'other', name: 'NEW', data: { x: 1 } },
    ]);
    qmp.close();
  });

  test('silence is a named failure, a lost connection another', async () => {
    const clock = new FakeClock();
    const opening = open(clock);
    const socket = await talk(() => '');
    const qmp = await opening;
    const silent = expect(qmp.execute('x')).rejects.toMatchObject({
      failure: { kind: 'qmp-silent' },
    });
    await clock.advance(10_000);
    await silent;
    const lost = expect(qmp.execute('y')).rejects.toMatchObject({
      failure: { kind: 'qmp-closed' },
    });
    socket.destroy();
    await lost;
    expect(clock.pending).toBe(0);
  });

  test('the signal ends the waiting for a greeting', async () => {
    const stop = new AbortController();
    const opening = connectQmp({ path, clock: new FakeClock(), signal: stop.signal });
    await peer;
    stop.abort(new Error('stopped'));
    await expect(opening).rejects.toThrow('stopped');
  });
});

test('the signal ends the waiting for the socket', async () => {
  const stop = new AbortController();
  const clock = new FakeClock();
  const opening = connectQmp({ path, clock, signal: stop.signal });
  await clock.waiting();
  stop.abort(new Error('stopped'));
  await expect(opening).rejects.toThrow('stopped');
  expect(clock.pending).toBe(0);
});

test('parseUsernet takes other texts for what they are', () => {
  expect(parseUsernet('')).toBeUndefined();
  expect(parseUsernet('no such thing\n')).toBeUndefined();
  const line =
    '  TCP[HOST_FORWARD]  12       127.0.0.1 39201       10.0.2.15    22     0     0\r\n';
  expect(parseUsernet(`Hub -1 (net0):\r\n  Protocol[State]  FD\r\n${line}`)).toEqual({
    port: 39201,
  });
  const udp = line.replace('TCP', 'UDP');
  const open =
    '  TCP[ESTABLISHED]   13       127.0.0.1 39201       10.0.2.15    22     0     0\r\n';
  expect(parseUsernet(udp + open)).toBeUndefined();
});
