/** A running vfkit as the driver sees it: its REST interface, said here, and the one seat before the guest's agent. */
import { mkdirSync, mkdtempSync } from 'node:fs';
import { createServer as createHttp, type Server } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import { gvproxy } from '../../src/net/gvproxy.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { failureOf } from '../../src/system/failure.ts';
import type { AttachOptions, VmControl } from '../../src/vm/vm-driver.ts';
import { keepAgent, type AgentSeat } from '../../src/vm/vfkit/agent-seat.ts';
import { attachVfkit } from '../../src/vm/vfkit/vfkit-control.ts';
import { removeTree } from '../remove-tree.ts';

let layout: Layout;
let root = '';
let server: Server;
/** The states that it gives, the last one again and again. */
let states: string[] = [];
let wishes: string[] = [];
/** What it does with a wish. */
let answer: (to: { socket: Socket; end: (status: number, text?: string) => void }) => void;
const told: string[] = [];
let machine: VmControl | undefined;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'vfm-'));
  layout = layoutOf(root);
  mkdirSync(layout.state);
  [states, wishes] = [['Running'], []];
  told.splice(0);
  answer = ({ end }) => end(202);
  server = createHttp((asked, reply) => {
    if (asked.method === 'GET') {
      const state = states.length > 1 ? states.shift() : states[0];
      return void reply.end(JSON.stringify({ state: `VirtualMachineState${state}` }));
    }
    let body = '';
    asked.on('data', (chunk: Buffer) => (body += chunk.toString()));
    asked.once('end', () => {
      wishes.push(body);
      const end = (status: number, text = '') => void reply.writeHead(status).end(text);
      answer({ socket: asked.socket, end });
    });
  });
  await new Promise<void>((resolve) => server.listen(layout.vfkitRest, resolve));
});
afterEach(() => {
  machine?.close();
  machine = undefined;
  server.close();
  server.closeAllConnections();
  removeTree(root);
});

async function attach(changes: Partial<AttachOptions> = {}): Promise<VmControl> {
  machine = await attachVfkit({
    layout,
    clock: systemClock,
    signal: new AbortController().signal,
    network: gvproxy.network({ layout, link: 'vfkit-dgram', uuid: '' }),
    signalVm: (name) => told.push(name),
    onPaused: (why) => told.push(`paused ${why}`),
    onResumed: () => told.push('resumed'),
    onLost: ({ kind }) => told.push(kind),
    ...changes,
  });
  return machine;
}

describe('the VM', () => {
  test('is waited for over the states before it runs, of which the first is Stopped', async () => {
    states = ['Stopped', 'Starting', 'Running'];
    const { tunnel } = await attach();
    expect(tunnel).toMatchObject({ kind: 'unix', path: layout.gvproxy });
    expect(told).toEqual([]);
  });

  test('is not waited for where it failed, and no longer than it is asked', async () => {
    states = ['Error'];
    expect(failureOf(await attach().catch((error: unknown) => error)).kind).toBe('vm-error');
    states = ['Starting'];
    const stop = new AbortController();
    const attached = attach({ signal: stop.signal }).catch((error: unknown) => error);
    stop.abort(new Error('stopped'));
    expect(String(await attached)).toContain('stopped');
  });

  test('is asked to stop, and told to: with an end for an answer', async () => {
    const vm = await attach();
    await vm.powerOff();
    answer = ({ socket }) => socket.destroy();
    await vm.hardStop?.();
    expect(wishes).toEqual(['{"state":"Stop"}', '{"state":"HardStop"}']);
  });

  test('may refuse, which says why', async () => {
    const vm = await attach();
    answer = ({ end }) => end(500, '{"error":"Error Domain=VZErrorDomain Code=4"}');
    const refused = failureOf(await vm.powerOff().catch((error: unknown) => error));
    expect(refused.kind).toBe('vfkit-refused');
    expect(refused.message).toContain('Code=4');
  });

  test.each([
    [
      ['Paused', 'Paused', 'Running'],
      ['paused unknown', 'resumed'],
    ],
    [['Error', 'Error'], ['vm-error']],
    [['Stopping', 'Stopped', 'Stopped'], ['guest-powered-off']],
    [['NoSuchState', 'Running'], []],
  ])('that goes through %j is told of once', async (later, news) => {
    const vm = await attach();
    states = [...later];
    for (let n = 0; n < later.length; n++) await vm.look?.();
    expect(told).toEqual(news);
  });

  test('whose vfkit is gone tells nothing: its end is told by the process', async () => {
    const vm = await attach();
    server.close();
    server.closeAllConnections();
    await vm.look?.();
    expect(told).toEqual([]);
  });
});

// Behaviour 236: With vfkit, one connection to the guest's agent lasts as long as the VM, however many commands ask
// the guest for something.
describe("the agent's seat", () => {
  let agent: ReturnType<typeof createServer>;
  let seat: AgentSeat;
  let served: Socket[] = [];
  const next = async () => {
    const client = connect({ path: layout.agent });
    await once(client, 'connect');
    return client;
  };
  const says = async (from: Socket) => String(await once(from, 'data'));
  beforeEach(async () => {
    served = [];
    agent = createServer((socket) => {
      served.push(socket);
      socket
        .on('error', () => undefined)
        .on('data', (chunk) => socket.write(`to ${String(chunk)}`));
    });
    await new Promise<void>((resolve) => agent.listen(layout.vfkitAgent, resolve));
    seat = await keepAgent({ path: layout.agent, vsock: layout.vfkitAgent });
  });
  afterEach(() => {
    seat.close();
    agent.close();
    for (const socket of served) socket.destroy();
  });

  test('one client after the other has the same connection', async () => {
    for (const name of ['a', 'b', 'c']) {
      const client = await next();
      client.write(name);
      expect(await says(client)).toBe(`to ${name}`);
      client.destroy();
      await once(client, 'close');
    }
    expect(served).toHaveLength(1);
  });

  test('whoever comes has it, and who had it is sent away', async () => {
    const first = await next();
    first.write('a');
    await says(first);
    const sentAway = once(first, 'close');
    const second = await next();
    await sentAway;
    second.write('b');
    expect(await says(second)).toBe('to b');
    expect(served).toHaveLength(1);
    second.destroy();
  });

  test('an agent that hangs up ends its client, and the next one dials anew', async () => {
    const first = await next();
    first.write('a');
    await says(first);
    served[0]?.destroy();
    await once(first, 'close');
    const second = await next();
    second.write('b');
    expect(await says(second)).toBe('to b');
    expect(served).toHaveLength(2);
    second.destroy();
  });
});
