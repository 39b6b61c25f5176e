import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { GuestAgent } from '../../src/guest/agent/agent.ts';
import type { Failed } from '../../src/system/failure.ts';
import { FakeAgent } from '../fakes/fake-agent.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { removeTree } from '../remove-tree.ts';

let dir: string;
let server: FakeAgent;
let clock: FakeClock;
let agent: GuestAgent;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'agent-'));
  clock = new FakeClock();
  server = await FakeAgent.listen(join(dir, 'a'));
  agent = new GuestAgent({ path: join(dir, 'a'), clock });
});
afterEach(() => {
  agent.close();
  server.close();
  removeTree(dir);
});
const failing = (kind: string) => ({ failure: { kind } });
/** Moves time on, again and again, until the promise settles. */
const letTimePass = async <T>(promise: Promise<T>): Promise<T> => {
  let settled = false;
  void promise.finally(() => (settled = true)).catch(() => undefined);
  while (!settled) await clock.advance(100);
  return promise;
};

describe('a healthy guest', () => {
  test('is pinged, over one connection, in step', async () => {
    expect(await agent.ping()).toBe(true);
    expect(await agent.ping()).toBe(true);
    expect(server.connections).toBe(1);
    expect(server.requests.map(({ execute }) => execute)).toEqual([
      'guest-sync-delimited',
      'guest-ping',
      'guest-ping',
    ]);
    expect(clock.pending).toBe(0);
  });

  test('tells and takes the time', async () => {
    expect(await agent.time()).toBeCloseTo(1_767_323_045_123.456, 1);
    await agent.setTime(1_800_000_000_123);
    expect(server.timeNs / 1_000_000n).toBe(1_800_000_000_123n);
    clock.setWall(1_900_000_000_000);
    await agent.setTime();
    expect(await agent.time()).toBeCloseTo(1_900_000_000_000, 1);
  });

  test('runs a program to its end', async () => {
    const ran = letTimePass(agent.exec('/bin/sh', ['-c', 'echo out']));
    expect(await ran).toEqual({ code: 3, stdout: 'out\n', stderr: 'err\n' });
    expect((await server.received('guest-exec')).arguments).toEqual({
      path: '/bin/sh',
      arg: ['-c', 'echo out'],
      'capture-output': true,
    });
    await expect(agent.exec('/missing', [])).rejects.toMatchObject(failing('agent-refused'));
    expect(await agent.ping()).toBe(true);
    expect(server.connections).toBe(1);
  });

  test('hears of a program that ran long from a guest that was silent for a while, and no longer', async () => {
    let silent = 3;
    server.odd = ({ execute }) =>
      execute === 'guest-exec-status' && silent-- > 0 ? '' : undefined;
    const run = () => letTimePass(agent.exec('/bin/sh', [], { silences: 3, timeoutMs: 3_600_000 }));
    expect(await run()).toMatchObject({ code: 3 });
    silent = 4;
    await expect(run()).rejects.toMatchObject(failing('agent-silent'));
  });

  test('serves requests made at once, one after the other', async () => {
    const answers = await Promise.all([agent.ping(), agent.time(), agent.ping()]);
    expect(answers).toEqual([true, expect.closeTo(1_767_323_045_123.456, 1), true]);
  });
});

describe('shutdown', () => {
  test('silence is obedience', async () => {
    const asked = agent.shutdown();
    await server.received('guest-shutdown');
    await clock.advance(1000);
    await asked;
    expect(server.requests.at(-1)?.arguments).toEqual({ mode: 'powerdown' });
  });

  test('so is the end of the VM', async () => {
    const asked = agent.shutdown();
    await server.received('guest-shutdown');
    server.hangUp();
    await asked;
  });

  // Behaviour 172: Whatever the guest's agent, QEMU or a client of the control socket sends, and however long or
  // deeply nested it is, at worst one request fails, and the daemon carries on.
  test('a refusal that is nested deeply, or long, or for a terminal, is one, and the next request is answered', async () => {
    let desc: unknown = '\u001b[2J\u009b31mno\u202e\nlinuxkit-builder: run this';
    server.odd = ({ execute }) =>
      execute === 'guest-get-time'
        ? `${JSON.stringify({ error: { desc } }).replace('"deep"', '['.repeat(20_000) + ']'.repeat(20_000))}\n`
        : undefined;
    const said = () =>
      letTimePass(agent.time()).catch((error: unknown) => (error as Failed).failure);
    const refused = (words: string) =>
      expect.objectContaining({
        kind: 'agent-refused',
        message: expect.stringContaining(words) as string,
      }) as unknown;
    expect(await said()).toEqual(refused(': "31mno linuxkit-builder: run this".'));
    desc = 'x'.repeat(100_000);
    expect(await said()).toEqual(refused(`: "${'x'.repeat(200)}...".`));
    desc = ['not', 'words'];
    expect(await said()).toMatchObject({
      kind: 'agent-refused',
      message: expect.not.stringContaining('words') as string,
    });
    desc = 'deep';
    expect(await said()).toMatchObject({ kind: 'agent-silent' });
    server.odd = () => undefined;
    expect(await agent.ping()).toBe(true);
  });

  test('a refusal is said, and so is a guest that was silent before', async () => {
    server.odd = ({ execute }) =>
      execute === 'guest-shutdown' ? '{"error":{"desc":"child failed"}}\n' : undefined;
    await expect(agent.shutdown()).rejects.toMatchObject(failing('agent-refused'));
    server.odd = ({ execute }) => (execute === 'guest-ping' ? '' : undefined);
    const silent = expect(agent.shutdown()).rejects.toMatchObject(failing('agent-silent'));
    await clock.waiting();
    await clock.advance(5000);
    await silent;
    expect(server.requests.filter(({ execute }) => execute === 'guest-shutdown').length).toBe(1);
  });
});

describe('an odd channel', () => {
  test('leftovers, garbage and the answers to others do not count', async () => {
    server.leftover = Buffer.from(
      'half an ans\xff{"return": 5}\n\0\x01 no\n{"return": {}}\n',
      'latin1',
    );
    server.odd = ({ execute }, answer) =>
      execute === 'guest-sync-delimited'
        ? Buffer.from(
            `{"error":{"desc":"JSON parse error"}}\n{"return": 1}\n"rub${answer}`,
            'latin1',
          )
        : `not JSON\n[1]\n{"event":"odd"}\n${answer}`;
    expect(await agent.time()).toBeCloseTo(1_767_323_045_123.456, 1);
  });

  test('half an answer is none', async () => {
    server.odd = ({ execute }, answer) =>
      execute === 'guest-ping' ? answer.slice(0, 4) : undefined;
    const ping = agent.ping();
    await server.received('guest-ping');
    await clock.advance(5000);
    expect(await ping).toBe(false);
    server.odd = () => undefined;
    expect(await agent.ping()).toBe(true);
  });

  test.each(['guest-sync-delimited', 'guest-ping'])(
    'silence at %s: false in time, then a new connection',
    async (command) => {
      server.odd = ({ execute }) => (execute === command ? '' : undefined);
      const ping = agent.ping();
      await server.received(command);
      await clock.advance(5000);
      expect(await ping).toBe(false);
      server.odd = () => undefined;
      expect(await agent.ping()).toBe(true);
      expect(server.connections).toBe(2);
      expect(clock.pending).toBe(0);
    },
  );

  test.each(['"soon"', 'null', '{}', '1e999'])('a time that is %s is no time', async (value) => {
    server.odd = ({ execute }) =>
      execute === 'guest-get-time' ? `{"return": ${value}}\n` : undefined;
    await expect(agent.time()).rejects.toMatchObject(failing('agent-refused'));
    expect(await agent.ping()).toBe(true);
  });

  test('an answer that comes too late is never taken for the next one', async () => {
    server.odd = ({ execute }) => (execute === 'guest-get-time' ? '' : undefined);
    const silent = expect(agent.time()).rejects.toMatchObject(failing('agent-silent'));
    await server.received('guest-get-time');
    await clock.advance(5000);
    await silent;
    server.leftover = Buffer.from('{"return": 1000000}\n');
    server.odd = () => undefined;
    expect(await agent.time()).toBeCloseTo(1_767_323_045_123.456, 1);
  });

  test('a huge line costs no memory and no more than its request', async () => {
    server.odd = ({ execute }) =>
      execute === 'guest-ping' ? Buffer.alloc(20 * 1024 * 1024, 0x78) : undefined;
    const ping = agent.ping();
    await server.received('guest-ping');
    await clock.advance(5000);
    expect(await ping).toBe(false);
    server.odd = () => undefined;
    expect(await agent.ping()).toBe(true);
  });

  test('a guest that hangs up between requests is asked again', async () => {
    expect(await agent.ping()).toBe(true);
    const lost = expect(agent.exec('/bin/x', [])).rejects.toMatchObject(failing('agent-away'));
    server.odd = ({ execute }) => {
      if (execute === 'guest-exec') server.hangUp();
      return undefined;
    };
    await lost;
    server.odd = () => undefined;
    expect(await agent.ping()).toBe(true);
  });

  test('no channel is said at once', async () => {
    const nobody = new GuestAgent({ path: join(dir, 'none'), clock });
    expect(await nobody.ping()).toBe(false);
    await expect(nobody.time()).rejects.toMatchObject(failing('agent-away'));
  });

  test('a second client waits its turn and gets it when the first closes', async () => {
    expect(await agent.ping()).toBe(true);
    const other = new GuestAgent({ path: join(dir, 'a'), clock });
    const ping = other.ping();
    await clock.waiting();
    agent.close();
    expect(await ping).toBe(true);
    other.close();
  });
});

describe('of a guest that is gone', () => {
  test('a program that was run leaves the next guest, whose channel has the same name, alone', async () => {
    server.odd = ({ execute }) =>
      execute === 'guest-exec-status' ? '{"return": {"exited": false}}\n' : undefined;
    const lost = expect(
      agent.exec('/bin/x', [], { silences: 12, timeoutMs: 600_000 }),
    ).rejects.toMatchObject(failing('agent-away'));
    await server.received('guest-exec-status');
    agent.close();
    server.close();
    const next = await FakeAgent.listen(join(dir, 'a'));
    await clock.advance(1_000);
    await lost;
    expect(await agent.ping()).toBe(false);
    expect(next.connections).toBe(0);
    next.close();
  });

  test('a connection that was being made is not kept', async () => {
    const ping = agent.ping();
    agent.close();
    expect(await ping).toBe(false);
    const other = new GuestAgent({ path: join(dir, 'a'), clock });
    expect(await other.ping()).toBe(true);
    other.close();
  });
});

test('the signal ends a request, and those that wait behind it', async () => {
  server.odd = ({ execute }) => (execute === 'guest-ping' ? '' : undefined);
  const stop = new AbortController();
  const first = expect(agent.ping()).resolves.toBe(false);
  const second = expect(agent.ping(stop.signal)).rejects.toThrow('enough');
  await server.received('guest-ping');
  stop.abort(new Error('enough'));
  await second;
  await clock.advance(5000);
  await first;
  expect(clock.pending).toBe(0);
});

test('a request that is given up before its turn leaves the one before it alone', async () => {
  let answer = '';
  server.odd = ({ execute }, usual) =>
    execute === 'guest-ping' ? ((answer = usual), '') : undefined;
  const stop = new AbortController();
  const first = agent.ping();
  const second = expect(agent.ping(stop.signal)).rejects.toThrow('enough');
  await server.received('guest-ping');
  stop.abort(new Error('enough'));
  await second;
  server.say(answer);
  expect(await first).toBe(true);
  expect(server.connections).toBe(1);
});
