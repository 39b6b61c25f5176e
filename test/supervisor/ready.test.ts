/** The last steps of a start: what is written of one that is ready. */
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import type { AttachedVm } from '../../src/supervisor/children/attach.ts';
import { keepProgram, untilReady } from '../../src/supervisor/start/ready.ts';
import type { Scope } from '../../src/supervisor/scope.ts';
import { noteSuccess } from '../../src/supervisor/suspend/suspend-trial.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { vmDrivers } from '../../src/vm/vm-drivers.ts';
import { World } from '../model/world.ts';

test('what cannot be written of the program is told, and ends no guest that is ready', async () => {
  await using world = await World.make();
  const told: string[] = [];
  const layout = {
    ...world.layout,
    get vmRecord(): string {
      throw new Error('a fault of ours');
    },
  };
  const log = (_: unknown, event: string) => void told.push(event);
  const running = { tried: { driver: vmDrivers.qemu } };
  keepProgram({ config: world.config, running }, { layout, log });
  expect(told).toEqual(['vm-not-kept']);
});

test('a guest that goes on from its file is told of the keys before anybody is let in', async () => {
  await using world = await World.make();
  const { layout } = world;
  noteSuccess(layout, 'b');
  const sshd = createServer((socket) => socket.end('SSH-2.0-guest\r\n')).listen(0, '127.0.0.1');
  await once(sshd, 'listening');
  const { port } = sshd.address() as AddressInfo;
  const done: string[] = [];
  const say = (what: string) => () => void done.push(what);
  const vm = {
    machine: { tunnel: { kind: 'tcp', host: '127.0.0.1', port } },
    planned: { resumed: {}, keeping: { basis: 'b' } },
  } as unknown as AttachedVm;
  const nothing = () => undefined;
  const scope = {
    guest: {
      agent: {
        setTime: () => Promise.resolve(say('clock')()),
        exec: () => Promise.resolve({ code: 0, stdout: '', stderr: '' }),
      },
      awake: systemClock,
      boot: { resumed: nothing },
      vmPause: { expect: nothing },
      settle: nothing,
    },
    running: {},
    signal: new AbortController().signal,
    facts: { all: {}, note: nothing, see: say('ready') },
  } as unknown as Scope;
  const keys = { tell: () => Promise.resolve(done.push('keys') > 0) };
  try {
    await untilReady(scope, vm, { layout, clock: systemClock, log: () => undefined, keys });
  } finally {
    sshd.close();
  }
  expect(done).toEqual(['clock', 'keys', 'ready']);
  // The connection that its sshd has greeted is kept for whoever waits.
  const { greeted } = scope.running;
  expect(String(greeted?.read())).toBe('SSH-2.0-guest\r\n');
  greeted?.destroy();
});
