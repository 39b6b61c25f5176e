import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Command as ControlCommand } from '../../src/supervisor/daemon/control-protocol.ts';
import { ask } from '../../src/supervisor/daemon/ask-daemon.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { fact } from './command.ts';
import { BuilderRig } from './rig.ts';

let rig: BuilderRig;
beforeAll(async () => (rig = await BuilderRig.create()));
afterAll(() => rig[Symbol.asyncDispose]());
beforeEach((context) => rig.explain(context));

const control = (command: ControlCommand) => ask(rig.layout, command, systemClock);
const door = async () => control('door') as Promise<Record<'held' | 'opening' | 'open', number>>;
const untilNobody = () =>
  fact('nobody is at the door', async () => {
    const { held, opening, open } = await door();
    return held + opening + open === 0;
  });
const descriptors = (pid: number) => readdirSync(`/proc/${pid}/fd`).length;

test('500 connections that wait for the guest do not keep it from coming, and leave no trace', async () => {
  await rig.cli('start');
  const { daemon } = await rig.reaches('booting');
  const before = descriptors(daemon.pid);
  const crowd = await Promise.all(Array.from({ length: 500 }, () => caller(rig.port)));
  await fact('all are held', async () => (await door()).held === 500);
  expect(descriptors(daemon.pid)).toBeGreaterThanOrEqual(before + 500);
  const early = rig.ssh('id -un');

  for (const socket of crowd.splice(0, 450)) socket.destroy();
  await rig.reaches('ready');
  expect(await early.ended).toBe(0);
  for (const socket of crowd) socket.destroy();
  await untilNobody();
  await fact('descriptors are given back', () => descriptors(daemon.pid) <= before + 10);
});

test('20 logins at once succeed', async () => {
  const logins = Array.from({ length: 20 }, (_, n) => rig.ssh(`echo ${n}`));
  expect(await Promise.all(logins.map((login) => login.ended))).toEqual(logins.map(() => 0));
  expect(logins.map(({ stdout }) => stdout)).toEqual(logins.map((_, n) => `${n}\n`));
});

test('drain holds who comes and leaves who is there; undrain lets them in', async () => {
  await untilNobody();
  const there = rig.ssh('read line; echo "got $line"');
  await fact('it is through', async () => (await door()).open === 1);
  expect(await control('drain')).toMatchObject({ open: 1 });
  const comes = rig.ssh('id -un');
  await fact('it is held', async () => (await door()).held === 1);

  there.write('a line\n');
  expect(await there.ended).toBe(0);
  expect(there.stdout).toBe('got a line\n');
  expect((await door()).held).toBe(1);

  await control('undrain');
  expect(await comes.ended).toBe(0);
});

test('restart ends the guest in order and brings another', async () => {
  const first = rig.status()?.vmPid;
  expect((await rig.cli('restart')).end).toBe(0);
  await rig.untilStatus(
    'ready with another VM',
    ({ phase, vmPid }) => phase === 'ready' && vmPid !== first,
  );
  expect(rig.console().split('=== boot ===')[1]).toContain('stage=stopped');
  expect((await rig.cli('ssh', '--', 'exit 3')).end).toBe(3);
  expect((await rig.cli('stop')).end).toBe(0);
  await rig.leavesNothing();
});

async function caller(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}
