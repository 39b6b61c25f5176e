import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { decodeReply, encodeCommand, encodeInit, shakeHands } from '../../src/net/handshake.ts';
import { cardUuid, vpnkit } from '../../src/net/vpnkit.ts';
import { layoutOf } from '../../src/config/layout.ts';
import { launch, type Child } from '../../src/system/process/child.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { dialUnix } from '../../src/system/socket/unix-socket.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { makeProgram } from '../rig/stand-in.ts';
import { removeTree } from '../remove-tree.ts';

const uuid = 'f8356af6-1ccb-8a8a-81be-7bd003899571';

describe('the messages, to the byte', () => {
  test('the first one', () => {
    const init = encodeInit();
    expect(init).toHaveLength(49);
    expect(init.subarray(0, 9).toString('hex')).toBe('564d4e335416000000');
  });
  test('a card with an address', () => {
    const command = encodeCommand(uuid, '192.168.65.2');
    expect(command).toHaveLength(41);
    expect(command[0]).toBe(8);
    expect(command.toString('latin1', 1, 37)).toBe(uuid);
    expect(command.subarray(37).toString('hex')).toBe('0241a8c0');
  });
  test('a card with any address', () => {
    const command = encodeCommand(uuid);
    expect(command[0]).toBe(1);
    expect(command.subarray(37).toString('hex')).toBe('00000000');
  });
  const reply = (head: string) =>
    Buffer.concat([Buffer.from(head, 'hex'), Buffer.alloc(258)]).subarray(0, 258);
  test("VPNKit's card", () =>
    expect(decodeReply(reply('01dc050e06025000000001'))).toEqual({
      kind: 'vif',
      vif: { mtu: 1500, maxPacketBytes: 1550, mac: '02:50:00:00:00:01' },
    }));
  test("gvproxy's card", () =>
    expect(decodeReply(reply('01dc05ea055a94efe40cee'))).toMatchObject({
      vif: { maxPacketBytes: 1514, mac: '5a:94:ef:e4:0c:ee' },
    }));
  test('a refusal', () =>
    expect(decodeReply(reply('0203616263'))).toEqual({ kind: 'refused', why: 'abc' }));
  test('something else', () => expect(decodeReply(reply('07'))).toEqual({ kind: 'unknown' }));
});

describe('the uuid', () => {
  const layout = layoutOf('/s');
  test('is the same for a directory, and another for another', () => {
    expect(cardUuid(layout)).toBe(cardUuid(layoutOf('/s')));
    expect(cardUuid(layout)).not.toBe(cardUuid(layoutOf('/t')));
    expect(cardUuid(layout)).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/,
    );
  });
  test('is the one in the file, if that holds one', () => {
    const vpnkitUuid = join(dir, 'vpnkit.uuid');
    writeFileSync(vpnkitUuid, uuid.toUpperCase());
    expect(cardUuid({ ...layout, vpnkitUuid })).toBe(uuid.toUpperCase());
    for (const bad of ['', 'not one', '00000000-0000-0000-0000-000000000000']) {
      writeFileSync(vpnkitUuid, bad);
      expect(cardUuid({ ...layout, vpnkitUuid })).toBe(cardUuid(layout));
    }
  });
});

let dir = '';
let program = '';
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'net-'));
  program = await makeProgram(dir, 'vpnkit');
});
afterAll(() => removeTree(dir));

describe('with a server', () => {
  let child: Child | undefined;
  const path = () => join(dir, 'eth.sock');
  const orders = () => `${program}.orders`;
  beforeEach(() => (child = undefined));
  afterEach(async () => {
    await child?.stop(0);
    rmSync(orders(), { force: true });
    rmSync(path(), { force: true });
  });
  const serve = async (told: Record<string, unknown> = {}, argv = ['--ethernet', 'fd:3']) => {
    writeFileSync(orders(), JSON.stringify(told));
    const what = { program, argv, env: {}, cwd: dir, sockets: [path()] };
    const files = { output: join(dir, 'out'), lock: join(dir, 'lock') };
    const begun = await launch(what, files, systemClock);
    if ('kind' in begun) throw new Error(begun.reason);
    child = begun;
  };
  const shake = (more: Record<string, unknown> = {}) =>
    shakeHands({
      path: path(),
      uuid,
      preferredIpv4: '192.168.65.3',
      program: 'vpnkit',
      clock: systemClock,
      signal: new AbortController().signal,
      timeoutMs: 10_000,
      ...more,
    });
  const kindOf = async (shaken: Promise<unknown>) =>
    shaken.then(
      () => 'card',
      (error: unknown) => (error as { failure: { kind: string; message: string } }).failure,
    );

  test('a card, as soon as it listens; and again for the same guest', async () => {
    const early = shake();
    await serve();
    expect((await early).mtu).toBe(1500);
    expect((await shake()).maxPacketBytes).toBe(1550);
  });
  test('whoever comes while it is being started is queued, not turned away', async () => {
    await serve({ lateMs: 500 });
    const frozen = new FakeClock();
    (await dialUnix(path(), new AbortController().signal)).destroy();
    // The clock stands still: a second try to connect would never come.
    expect((await shake({ clock: frozen })).mtu).toBe(1500);
  });
  test('one that dies leaves nobody waiting', async () => {
    await serve({ silentAfter: 'accept' });
    const waiting = kindOf(shake({ timeoutMs: 300 }));
    await child?.stop(0);
    expect(await waiting).toMatchObject({ kind: 'network-silent' });
    expect(await kindOf(shake({ timeoutMs: 200 }))).toMatchObject({ kind: 'network-silent' });
  });
  test.each([
    [['--ethernet', 'fd:9'], 0],
    [['--ethernet', 'fd:1'], 0],
    [[], 0],
    [['--ethernet'], 124],
    [['--ethernet', 'fd:3', '--9p', 'x'], 124],
  ])('with the words %j it ends with %i', async (argv, code) => {
    await serve({}, argv);
    expect(await child?.ended).toEqual({ kind: 'exited', code });
  });
  test('slowly, a byte at a time', async () => {
    await serve({ slowMs: 300 });
    expect((await shake()).mtu).toBe(1500);
  });
  test('the address that another guest has', async () => {
    await serve();
    await shake({ uuid: uuid.replace('f8', '00') });
    expect(await kindOf(shake())).toMatchObject({
      kind: 'network-refused',
      message: expect.stringContaining('Preferred IP address 192.168.65.3 already used.') as string,
    });
  });
  test('the address that became the host in 2018', async () => {
    await serve();
    expect(await kindOf(shake({ preferredIpv4: '192.168.65.2' }))).toMatchObject({
      message: expect.stringContaining('out of range') as string,
    });
  });
  test.each(['accept', 'init'])('silence after %s', async (silentAfter) => {
    await serve({ silentAfter });
    expect(await kindOf(shake({ timeoutMs: 300 }))).toMatchObject({ kind: 'network-silent' });
  });
  test('somebody else', async () => {
    await serve({ stranger: true });
    expect(await kindOf(shake())).toMatchObject({ kind: 'network-stranger' });
  });
  test('nobody', async () =>
    expect(await kindOf(shake({ timeoutMs: 200 }))).toMatchObject({ kind: 'network-silent' }));
  test('a server that closes', async () => {
    const server: Server = createServer((socket) => socket.end().resume()).listen(path());
    expect(await kindOf(shake())).toMatchObject({ kind: 'network-silent' });
    await new Promise((done) => server.close(done));
  });
  test('a start that is ended while it waits', async () => {
    await serve({ silentAfter: 'init' });
    const stop = new AbortController();
    const shaken = shake({ signal: stop.signal });
    stop.abort(new Error('enough'));
    await expect(shaken).rejects.toThrow('enough');
  });
});

test('the address that we ask for is in the pool of every version', () => {
  const { guest, attachment } = vpnkit.network({ layout: layoutOf('/s'), link: 'vpnkit', uuid });
  expect(guest.address).toBe('192.168.65.3/24');
  expect(attachment).toMatchObject({ preferredIpv4: '192.168.65.3' });
});
