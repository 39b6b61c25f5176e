import { appendFileSync, existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import { systemClock, type Clock } from '../../src/system/time/clock.ts';
import { Failed } from '../../src/system/failure.ts';
import type { VmControl } from '../../src/vm/vm-driver.ts';
import { attachHyperkit } from '../../src/vm/hyperkit/hyperkit-control.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { removeTree } from '../remove-tree.ts';

let dir = '';
let layout: Layout;
let vsock: Server | undefined;
let machine: VmControl | undefined;
const signals: NodeJS.Signals[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'hk-'));
  layout = layoutOf(dir);
  mkdirSync(layout.state);
  writeFileSync(layout.disk, 'a disk');
});
afterEach(() => {
  machine?.close();
  vsock?.close();
  signals.length = 0;
  removeTree(dir);
});

/** HyperKit's vsock socket: it says what it was asked, and the rest comes back. */
const makeVsock = async () => {
  vsock = createServer((socket) => socket.on('error', () => undefined).pipe(socket));
  await once(vsock.listen(layout.vsock), 'listening');
};
const attach = async (clock: Clock = systemClock, isNew = false) =>
  (machine = await attachHyperkit({
    isNew,
    layout,
    clock,
    signal: new AbortController().signal,
    network: { name: 'vpnkit', guest: { address: '', gateway: '', nameservers: [] } },
    signalVm: (name) => signals.push(name),
  }));

describe('a HyperKit whose devices are there', () => {
  beforeEach(makeVsock);

  test('has the power button on SIGTERM', async () => {
    await (await attach()).powerOff();
    expect(signals).toEqual(['SIGTERM']);
  });

  test('leads to sshd by 18 bytes', async () =>
    expect((await attach()).tunnel).toMatchObject({ hello: '00000003.00000016\n', answer: '' }));

  test("leads the agent's socket to the agent's vsock port", async () => {
    await attach();
    const client = connect(layout.agent);
    const [said] = (await once(client, 'data')) as [Buffer];
    expect(said.toString()).toBe('00000003.00000400\n');
    client.destroy();
  });

  test('shows by its disk that the guest writes, and that it does not', async () => {
    const attached = await attach();
    const diskOperations = () => attached.diskOperations();
    const before = await diskOperations();
    expect(await diskOperations()).toBe(before);
    // The time of a file is as fine as the kernel's tick.
    while ((await diskOperations()) === before) appendFileSync(layout.disk, 'x');
    expect(await diskOperations()).toBeGreaterThan(before);
  });

  test('takes the socket of the agent away with it', async () => {
    (await attach()).close();
    expect(existsSync(layout.agent)).toBe(false);
  });
});

// Behaviour 233: A HyperKit process that runs without its console counts as failed, and the message gives that as the
// reason.
describe('one that was launched just now', () => {
  beforeEach(makeVsock);

  test('has its console soon', async () => {
    const clock = new FakeClock();
    const attached = attach(clock, true);
    while (!clock.due.includes(50)) await new Promise((done) => setImmediate(done));
    writeFileSync(layout.consoleRing, '');
    await clock.advance(50);
    expect((await attached).tunnel).toBeDefined();
  });

  test('and that has none is a failure that says so', async () => {
    const clock = new FakeClock();
    const attached = attach(clock, true).catch((error: unknown) => error);
    await clock.waiting(1);
    for (let n = 0; n < 110; n++) await clock.advance(50);
    expect((await attached) as Failed).toMatchObject({
      failure: { kind: 'vm-no-console' },
    });
  });
});

test('one that hangs at its network or its disk is a failure that says so', async () => {
  const clock = new FakeClock();
  const attached = attach(clock).catch((error: unknown) => error);
  await clock.waiting();
  for (let n = 0; n < 401; n++) await clock.advance(50);
  const failed = await attached;
  expect(failed).toBeInstanceOf(Failed);
  expect((failed as Failed).failure).toMatchObject({ kind: 'vm-stuck' });
});
