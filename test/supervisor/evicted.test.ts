/** The state directory is taken away under a daemon whose VM runs. */
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { defaultPolicy } from '../../src/supervisor/lifecycle/backoff.ts';
import type { Status } from '../../src/supervisor/status/status-schema.ts';
import { Supervisor } from '../../src/supervisor/supervisor.ts';
import { tryKernelLock } from '../../src/system/lock/lock.ts';
import { silent } from '../../src/system/log.ts';
import { identify } from '../../src/system/process/process.ts';
import { readyIn } from '../model/ready.ts';
import { vmPrograms } from '../../src/domain/vm-programs.ts';
import { vmDrivers } from '../../src/vm/vm-drivers.ts';
import { World } from '../model/world.ts';
import { removeTree } from '../remove-tree.ts';

/** A builder that is ready, with a lock on its directory as the daemon has it. */
async function lockedIn(world: World) {
  const lock = tryKernelLock(world.layout.daemonLock);
  if (lock === undefined) throw new Error('no lock');
  return { ...(await readyIn(world, { isOurs: () => lock.isInPlace() })), lock };
}

/** The world's VM driver, with that answer to whether it pauses its guest on a full disk. */
const driverPauses = (pausesOnFullDisk: boolean) =>
  Object.assign(vmDrivers.qemu, { row: { ...vmPrograms.qemu, pausesOnFullDisk } });
afterEach(() => driverPauses(true));

// Behaviour 11: If the state directory is moved, deleted or replaced, the daemon notices within 5 s, and before every
// start. It stops its children cleanly, says what happened, exits with 74, and touches nothing at the old path.
test('deleted, with another daemon in its place: ends in order, and touches nothing of theirs', async () => {
  await using world = await World.make();
  const { layout } = world;
  const { supervisor, phases, until, lock } = await lockedIn(world);
  removeTree(layout.state);
  mkdirSync(layout.state);
  const theirs = ['daemon.lock', 'status.json', 'qemu.pid', 'qemu.json', 'qmp.sock', 'initrd'];
  for (const name of theirs) writeFileSync(join(layout.state, name), 'theirs');
  await until('stopped');
  expect(await supervisor.left).toMatchObject({ kind: 'directory-lost' });
  expect(phases.slice(-3)).toEqual(['ready', 'stopping', 'stopped']);
  expect(world.vms()).toEqual([]);
  expect(readdirSync(layout.state).sort()).toEqual(expect.arrayContaining([...theirs].sort()));
  for (const name of theirs) expect(readFileSync(join(layout.state, name), 'utf8')).toBe('theirs');
  lock.release();
});

// A VM program that does not pause on a full disk has its disk's room looked at with each tick.
test.each([true, false])(
  'moved away (pauses on a full disk: %s): ends, and nothing is made under the old name',
  async (pauses) => {
    driverPauses(pauses);
    await using world = await World.make();
    const { layout } = world;
    const { supervisor, until, lock } = await lockedIn(world);
    const away = `${layout.root}-away`;
    renameSync(layout.root, away);
    // Whoever finds it there still meets the lock, and the VM's.
    expect(tryKernelLock(join(away, 'nix-state/daemon.lock'))).toBeUndefined();
    expect(tryKernelLock(join(away, 'nix-disk.lock'))).toBeUndefined();
    await until('stopped');
    expect((await supervisor.left)?.message).toContain(layout.root);
    expect(world.vms()).toEqual([]);
    expect(existsSync(layout.root)).toBe(false);
    lock.release();
  },
);

test('deleted while it waits for the next attempt: none is made', async () => {
  await using world = await World.make();
  const { layout, clock } = world;
  const { supervisor, phases, until, lock } = await lockedIn(world);
  world.kill('SIGKILL');
  await until('backing-off');
  removeTree(layout.state);
  await clock.advance(defaultPolicy.firstDelayMs);
  expect(await supervisor.left).toMatchObject({ kind: 'directory-lost' });
  expect(phases.slice(-4)).toEqual(['backing-off', 'starting', 'stopping', 'stopped']);
  expect(world.starts).toBe(1);
  lock.release();
});

test('whether there is room cannot be told: nothing is ended for that', async () => {
  driverPauses(false);
  await using world = await World.make();
  const { layout } = world;
  const { supervisor, phases, until } = await readyIn(world);
  const away = `${layout.root}-away`;
  renameSync(layout.root, away);
  supervisor.tick();
  renameSync(away, layout.root);
  expect(phases.at(-1)).toBe('ready');
  supervisor.dispatch({ type: 'stop' });
  await until('stopped');
});

// Behaviour 12: If the state directory becomes read-only, the guest keeps running, and the daemon prints that the
// status file is out of date, and why. Once the directory is writable again, the status file is correct within 5 s.
test('unwritable for a while: it stays, says so, and the record is true again afterwards', async () => {
  await using world = await World.make();
  const { layout, clock, config } = world;
  const daemon = identify(process.pid);
  if (daemon === undefined) throw new Error('no process');
  const told: [string, string | undefined][] = [];
  const onStatus = ({ phase }: Status, trouble: { kind: string } | undefined) =>
    void told.push([phase, trouble?.kind]);
  const options = { layout, clock, log: silent, policy: defaultPolicy, daemon, onStatus };
  const more = { doorSocket: '/nowhere', isOurs: () => true };
  const supervisor = new Supervisor({ ...options, ...more }, { config, problems: [] });
  // A directory in its way: as unwritable as on a read-only file system, for root too.
  mkdirSync(layout.status);
  supervisor.dispatch({ type: 'start' });
  while (told.at(-1)?.[0] !== 'booting') await clock.advance(1);
  // What happens in its first turn is composed before the first write fails.
  const first = told.findIndex(([, trouble]) => trouble !== undefined);
  expect(told.slice(0, first).map(([phase]) => phase)).toEqual(['starting', 'starting']);
  expect(told.slice(first).every(([, trouble]) => trouble === 'cannot-write')).toBe(true);
  expect(told.filter(([phase]) => phase === 'starting')).toContainEqual([
    'starting',
    'cannot-write',
  ]);
  removeTree(layout.status);
  supervisor.tick();
  expect(told.at(-1)).toEqual(['booting', undefined]);
  expect(JSON.parse(readFileSync(layout.status, 'utf8'))).toMatchObject({ phase: 'booting' });
  supervisor.dispatch({ type: 'stop' });
  while (told.at(-1)?.[0] !== 'stopped') await clock.advance(1);
  expect(told.at(-1)).toEqual(['stopped', undefined]);
});
