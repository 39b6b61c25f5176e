/** Processes that stand still for longer than any lock stays fresh, as in a host's sleep, and go on while others have tried. */
import { existsSync, statSync } from 'node:fs';
import { expect, test } from 'vitest';
import { identify } from '../../src/system/process/process.ts';
import { fact } from './command.ts';
import { BuilderRig } from './rig.ts';
import { stopAtOnce } from './stop-at-once.ts';

/** proper-lockfile takes a lock for stale after 10 s. */
const staleMs = 10_000;

const vms = (rig: BuilderRig) =>
  rig.processes().filter(({ command }) => /qemu-system-\S+ .*nix-disk/.test(command));

/** As long as it takes until nobody who looks at times would believe in the lock any more. */
async function beyondStale(rig: BuilderRig, since: number, tryAgain: () => Promise<void>) {
  await tryAgain();
  await fact('any lock would be stale', () => performance.now() - since > staleMs + 1_500);
  await tryAgain();
  expect(vms(rig).length).toBeLessThanOrEqual(1);
}

// Behaviour 10: A daemon that was halted (SIGSTOP), alone or with its VM, continues normally after SIGCONT, and no
// other process becomes the daemon in the meantime. If it was halted during a start, other starts and `configure`
// wait until that start has finished.
test('a daemon, and a daemon with its VM, that stood still have their builder as before', async (context) => {
  await using rig = await BuilderRig.create({ context });
  const daemon = rig.begin('daemon');
  const { vmPid = 0 } = await rig.reaches('ready');
  const another = async () => {
    const second = await rig.cli('daemon');
    expect(second.end).toBe(75);
    expect(second.stderr).toContain(`pid ${daemon.pid}`);
  };
  for (const sleepers of [[daemon.pid], [vmPid, daemon.pid]]) {
    const woken = rig.log('woke').length;
    for (const pid of sleepers) process.kill(pid, 'SIGSTOP');
    await beyondStale(rig, performance.now(), another);
    for (const pid of sleepers) process.kill(pid, 'SIGCONT');
    await fact('it has noticed', () => rig.log('woke').length > woken, 10_000);
    await another();
    expect((await rig.cli('ssh', '--', 'exit 5')).end).toBe(5);
  }
  expect(rig.status()).toMatchObject({ phase: 'ready', vmPid });
  expect(rig.log('health')).toEqual([]);
  expect(identify(vmPid)?.program).toMatch(/^qemu-system-/);
  expect(rig.phases()).toEqual(['starting', 'booting', 'ready']);
  expect((await rig.cli('stop')).stdout).toBe('Stopped.\n');
  expect(await daemon.ended).toBe(0);
  await rig.leavesNothing();
});

test('a daemon that stood still in the midst of a start is alone in it all the same', async (context) => {
  await using rig = await BuilderRig.create({ context });
  const daemon = rig.begin('daemon');
  const lock = `${rig.layout.startLock}.lock`;
  await fact('the section is taken', () => existsSync(lock));
  daemon.signal('SIGSTOP');
  const { mtimeMs } = statSync(lock);
  const configure = rig.begin('configure', '--no-root', '--max-jobs', '1');
  await fact('configure says that it waits', () => /waiting/.test(configure.stderr));
  await fact('the lock is stale', () => Date.now() - mtimeMs > staleMs + 1_500);
  expect(configure.end).toBeUndefined();
  expect((await rig.cli('daemon')).end).toBe(75);
  expect(rig.log('seen').some(({ name }) => name === 'vm-started')).toBe(false);

  daemon.signal('SIGCONT');
  expect(await configure.ended).toBe(0);
  await rig.reaches('booting');
  expect(vms(rig)).toHaveLength(1);
  expect(rig.phases()).toEqual(['starting', 'booting']);
  await stopAtOnce(rig);
});
