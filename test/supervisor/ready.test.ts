/** The last steps of a start: what is written of one that is ready. */
import { once } from 'node:events';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { AttachedVm } from '../../src/supervisor/children/attach.ts';
import { keepProgram, untilReady } from '../../src/supervisor/start/ready.ts';
import type { Scope } from '../../src/supervisor/scope.ts';
import { noteSuccess } from '../../src/supervisor/suspend/suspend-trial.ts';
import { failureOf } from '../../src/system/failure.ts';
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

/** A guest that goes on from its file, whose sshd greets; what is done with it until it is ready, and how often somebody logs in. */
async function resuming(world: World) {
  const nothing = () => undefined;
  const greet = (socket: Socket) => socket.on('error', nothing).resume().write('SSH-2.0-guest\r\n');
  const sshd = createServer(greet).listen(0, '127.0.0.1');
  await once(sshd, 'listening');
  const hungUp = once(sshd, 'close');
  const { port } = sshd.address() as AddressInfo;
  const done: string[] = [];
  const say = (what: string) => () => void done.push(what);
  const vm = {
    machine: { tunnel: { kind: 'tcp', host: '127.0.0.1', port } },
    planned: { resumed: {}, keeping: { basis: 'b' } },
  } as unknown as AttachedVm;
  const scope = {
    guest: {
      agent: {
        setTime: () => Promise.resolve(say('clock')()),
        exec: () => Promise.resolve({ code: 0, stdout: '', stderr: '' }),
      },
      awake: world.clock,
      boot: { resumed: nothing },
      vmPause: { expect: nothing },
      settle: nothing,
    },
    running: {},
    signal: new AbortController().signal,
    facts: { all: {}, note: nothing, see: say('ready') },
  } as unknown as Scope;
  const keys = { tell: () => Promise.resolve(done.push('keys') > 0) };
  const where = { layout: world.layout, clock: world.clock, log: nothing, keys };
  const goOn = () => untilReady(scope, vm, where).finally(() => sshd.close());
  return { done, scope, goOn, hungUp };
}

/** The world's ssh notes that it was run, and then does what is given. */
function watchLogins(world: World, then = 'exec "$0.guest" "$@"'): () => number {
  const ssh = join((process.env['PATH'] ?? '').split(':')[0] ?? '', 'ssh');
  const notes = join(world.layout.root, 'logins');
  renameSync(ssh, `${ssh}.guest`);
  writeFileSync(ssh, `#!/bin/sh\necho login >>'${notes}'\n${then}\n`, { mode: 0o755 });
  return () => (existsSync(notes) ? readFileSync(notes, 'utf8').trim().split('\n').length : 0);
}

test('a guest that goes on from its file is told of the keys before anybody is let in', async () => {
  await using world = await World.make();
  noteSuccess(world.layout, 'b');
  const { done, scope, goOn } = await resuming(world);
  await goOn();
  expect(done).toEqual(['clock', 'keys', 'ready']);
  // The connection that its sshd has greeted is kept for whoever waits.
  const { greeted } = scope.running;
  expect(String(greeted?.read())).toBe('SSH-2.0-guest\r\n');
  greeted?.destroy();
});

describe('the trial of a resume', () => {
  test.each([
    ['a guest that has not gone on from a file here', 'other', 1],
    ['no guest where that has worked before', 'b', 0],
  ])('logs in to %s', async (_, worked, logins) => {
    await using world = await World.make();
    noteSuccess(world.layout, worked);
    const count = watchLogins(world);
    const { done, scope, goOn } = await resuming(world);
    await goOn();
    expect([count(), done]).toEqual([logins, ['clock', 'keys', 'ready']]);
    scope.running.greeted?.destroy();
  });

  test('fails where the kernel complains as it goes on, which without a trial is only told', async () => {
    for (const [worked, fails] of [
      ['other', true],
      ['b', false],
    ] as const) {
      await using world = await World.make();
      noteSuccess(world.layout, worked);
      const { done, scope, goOn } = await resuming(world);
      Object.assign(scope.guest, { complaint: 'watchdog: BUG: soft lockup' });
      const ended = await goOn().then(() => undefined, failureOf);
      expect(ended?.kind).toBe(fails ? 'guest-not-resumed' : undefined);
      expect(done).toEqual(fails ? ['clock'] : ['clock', 'keys', 'ready']);
      scope.running.greeted?.destroy();
    }
  });

  test('fails where nobody can log in, though the guest is awake', async () => {
    await using world = await World.make();
    const count = watchLogins(world, "echo 'Permission denied (publickey).' >&2; exit 255");
    const { done, scope, goOn, hungUp } = await resuming(world);
    const message = expect.stringContaining('Permission denied') as string;
    const failure = { kind: 'guest-not-resumed', suspendFault: true, message };
    await expect(goOn()).rejects.toMatchObject({ failure });
    expect([count(), done]).toEqual([1, ['clock']]);
    expect(scope.running.greeted).toBeUndefined();
    await hungUp;
  });
});
