import { appendFileSync, mkdtempSync, renameSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { aims, nextAim, stepOf, type Aim } from './aimed.ts';
import { Relay } from './relay.ts';
import { resumeSteps, suspendSteps } from './suspends.ts';
import { WatchedLog } from './watched-log.ts';
import { removeTree } from '../remove-tree.ts';

test('so many builds come in each step: two in a round, of which a resume has the first for itself', () => {
  const all = aims(3, 20);
  expect(all).toEqual(aims(3, 20));
  const rounds = (step: string) => all.filter((aim) => aim.step === step).length;
  for (const step of resumeSteps) expect(rounds(step)).toBe(20);
  for (const step of suspendSteps) expect(rounds(step)).toBe(step === 'phase.away' ? 0 : 10);
});

test('a step that was missed is aimed at again, so often at most', () => {
  const cameIn = (step: string, count: number) =>
    Array.from({ length: count }, () => ({ step, end: 0, tookMs: 1 }));
  const enough = suspendSteps.flatMap((step) => cameIn(step, 3));
  expect(nextAim(enough, [], 3)).toBeUndefined();
  const missed = 'suspend-step.written';
  const few = enough.filter(({ step }) => step !== missed);
  const aim: Aim = { step: missed, afterMs: [1, 2, 3] };
  expect(nextAim([...few, ...cameIn(missed, 2)], [], 3)).toEqual(aim);
  const again = Array.from({ length: 5 }, () => aim);
  expect(nextAim(few, again, 3)).toEqual(aim);
  expect(nextAim(few, [...again, aim], 3)).toBeUndefined();
  // Nobody can come in this one.
  expect(
    nextAim(
      enough.filter(({ step }) => step !== 'suspend-step.frozen'),
      [],
      3,
    ),
  ).toBeUndefined();
  // The one with the fewest comes first.
  const without = few.filter(({ step }) => step !== 'guest-saved');
  expect(nextAim([...without, ...cameIn(missed, 1)], [], 3)?.step).toBe('guest-saved');
});

const line = (at: number, event: string, fields: object = {}) => ({
  event,
  level: 'info',
  time: new Date(at).toISOString(),
  ...fields,
});

test('the step in which a client came is that of the last line before it', () => {
  const lines = [
    line(1, 'phase', { phase: 'suspending' }),
    line(5, 'suspend-step', { name: 'frozen' }),
    line(9, 'guest-saved'),
    line(9, 'phase', { phase: 'stopping' }),
    line(12, 'phase', { phase: 'away' }),
    line(20, 'phase', { phase: 'starting' }),
    line(22, 'seen', { name: 'memory-loaded' }),
    line(30, 'phase', { phase: 'stopping' }),
  ];
  const steps = [0, 1, 6, 10, 13, 20, 25, 31].map((at) => stepOf(lines, at));
  expect(steps).toEqual([
    'phase.stopped',
    'phase.suspending',
    'suspend-step.frozen',
    'guest-saved',
    'phase.away',
    'phase.starting',
    'seen.memory-loaded',
    'phase.stopping',
  ]);
});

test('a log is read on as it grows, also when another takes its place', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'log-'));
  try {
    const path = join(dir, 'log');
    const log = new WatchedLog(path);
    expect(log.length).toBe(0);
    writeFileSync(path, `${JSON.stringify(line(1, 'a'))}\n{"event"`);
    expect(log.length).toBe(1);
    appendFileSync(path, ':"b"}\n');
    const found = log.until('b', ({ event }) => event === 'b', 1);
    expect(await found).toMatchObject({ event: 'b' });
    renameSync(path, `${path}.1`);
    writeFileSync(path, `${JSON.stringify(line(2, 'c'))}\n`);
    expect(await log.until('c', ({ event }) => event === 'c', 0)).toMatchObject({ event: 'c' });
    await expect(log.until('d', () => false, 0, 1)).rejects.toThrow('did not come');
  } finally {
    removeTree(dir);
  }
});

test('who comes to the relay arrives at the door when it is let go, with all that was said', async () => {
  const arrived: string[] = [];
  const door = createServer((socket) =>
    socket.once('data', (said: Buffer) => {
      arrived.push(said.toString());
      socket.end('greeting');
    }),
  );
  door.listen(0, '127.0.0.1');
  await once(door, 'listening');
  using relay = await Relay.begin((door.address() as AddressInfo).port);
  relay.hold();
  const client = connect(relay.port, '127.0.0.1');
  client.write('SSH-2.0-x\r\n');
  const heard = once(client, 'data') as Promise<[Buffer]>;
  while (relay.waiting === 0) await new Promise((done) => setImmediate(done));
  expect(arrived).toEqual([]);
  await relay.release();
  expect(String((await heard)[0])).toBe('greeting');
  expect(arrived).toEqual(['SSH-2.0-x\r\n']);
  await expect(relay.release()).rejects.toThrow('Nobody');
  client.destroy();
  door.close();
});

test('a relay that holds nobody lets each through', async () => {
  const door = createServer((socket) => socket.end('greeting'));
  door.listen(0, '127.0.0.1');
  await once(door, 'listening');
  using relay = await Relay.begin((door.address() as AddressInfo).port);
  const client = connect(relay.port, '127.0.0.1');
  const [heard] = (await once(client, 'data')) as [Buffer];
  expect(String(heard)).toBe('greeting');
  client.destroy();
  door.close();
});
