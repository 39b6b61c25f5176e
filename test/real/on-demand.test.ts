import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { nativeSystem } from '../../src/domain/guest-system.ts';
import { exampleNix } from '../../src/nix/example.ts';
import { ask } from '../../src/supervisor/daemon/ask-daemon.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import type { Command } from './command.ts';
import { nixBuild, nixStore } from './nix-client.ts';
import { BuilderRig } from './rig.ts';
import { startingGuest } from '../../src/command/announce-slow.ts';

// Behaviour 112: A build that arrives while the guest is away, or is being suspended or stopped for lack of use,
// waits until the guest is ready, and then runs. It fails only if the guest is not ready within `holdSeconds`.
test('a guest that comes and goes: no build ever fails for it', async (context) => {
  await using rig = await BuilderRig.create({
    context,
    configure: ['--start', 'demand', '--idle', 'stop', '--idle-after', '15 s'],
  });
  /** A derivation that nobody has built, as nix-daemon would build it. */
  const build = (name: string) => {
    const file = join(rig.dir, `${name}.nix`);
    writeFileSync(file, exampleNix(nativeSystem(process.arch), { name }));
    return nixBuild(rig, file);
  };
  const wakes = () => rig.log('wanted').map(({ why }) => why);
  const atTheDoor = 'a client is waiting';

  const daemon = rig.begin('daemon');
  const begun = await rig.reaches('away');
  expect(begun).toMatchObject({ away: { why: 'not-needed-yet' }, door: { port: rig.port } });
  expect(await build('first').ended).toBe(0);
  expect(wakes()).toEqual([atTheDoor]);

  // Nobody uses it.
  await rig.reaches('away');
  expect(rig.processes().map(({ pid }) => pid)).toEqual([daemon.pid]);
  const { stdout, end } = await rig.cli('status');
  expect(end).toBe(0);
  expect(stdout).toContain(
    'Away: the guest is stopped; the next build starts it. It has been idle',
  );
  expect((await rig.cli('wait')).stdout).toContain('The next build will start the guest.');
  // Neither our own questions nor a port scan bring it back.
  await new Promise<void>((resolve) => {
    const scan = connect({ port: rig.port, host: '127.0.0.1' }, () => scan.end(() => resolve()));
  });
  expect(rig.status()?.phase).toBe('away');
  const second = build('second');
  const slots = await watchSlots(rig, second);
  expect(await second.ended).toBe(0);
  expect(wakes()).toEqual([atTheDoor, atTheDoor]);
  // A slot that Nix holds on this machine is a connection at the door, so that nobody has to look for slots.
  expect(slots.held).toBeGreaterThan(0);
  expect(slots.alone).toBe(0);

  // By hand, and a build comes while it goes.
  const suspended = rig.begin('suspend');
  await rig.reaches('stopping');
  const late = build('third');
  expect(await suspended.ended).toBe(0);
  expect(suspended.said).toMatch(/^The guest is (stopped|running again)/);
  expect(await late.ended).toBe(0);
  expect(wakes()).toHaveLength(3);

  expect((await rig.cli('suspend')).said).toContain('The next build will');
  const again = await rig.cli('ssh', '--', 'echo here');
  expect([again.stdout, again.stderr]).toEqual(['here\n', expect.stringContaining(startingGuest)]);
  expect((await rig.cli('suspend', '--now')).end).toBe(0);
  expect((await rig.cli('stop')).end).toBe(0);
  expect(await daemon.ended).toBe(0);
  await rig.leavesNothing();
});

/**
 * How often a slot was seen held during a build; and how often without a connection, from its first one to its last. After that nothing
 * is left to do, and the hook's end lets go of the slot.
 */
async function watchSlots(
  rig: BuilderRig,
  build: Command,
): Promise<{ held: number; alone: number }> {
  const seen = { held: 0, alone: 0 };
  for (let without = 0; build.end === undefined;) {
    const before = holdsSlot(rig);
    const { held = 0, opening = 0, open = 0 } = await ask(rig.layout, 'door', systemClock);
    const isHeld = before && holdsSlot(rig);
    if (isHeld && held + opening + open === 0 && seen.held > 0) without++;
    if (isHeld && held + opening + open > 0) {
      seen.held++;
      seen.alone += without;
      without = 0;
    }
    await systemClock.sleep(20);
  }
  return seen;
}

/**
 * Whether Nix's hook holds a lock on a slot of a builder (build-remote.cc, openSlotLock), as the kernel tells: whoever tried the lock
 * himself would hold it for a moment (proc_locks(5)).
 */
function holdsSlot(rig: BuilderRig): boolean {
  const folder = [join(rig.dir, 'nix/state'), join(nixStore(rig), 'nix/var/nix')]
    .map((state) => join(state, 'current-load'))
    .find((path) => existsSync(path));
  if (folder === undefined) return false;
  const slots = readdirSync(folder).filter((name) => /-\d+$/.test(name));
  const locks = readFileSync('/proc/locks', 'utf8');
  return slots.some((name) => locks.includes(`:${statSync(join(folder, name)).ino} `));
}
