import { expect, test } from 'vitest';
import { identify } from '../../src/system/process/process.ts';
import { fact } from './command.ts';
import { builtText, nixBuild } from './nix-client.ts';
import { BuilderRig } from './rig.ts';

// Behaviour 1: A state directory has at most one daemon, because each daemon holds a kernel lock. A second one that
// is started in a terminal exits with 75 and names the first one's pid.
// Behaviour 63: The door listens for as long as the daemon runs. A connection that arrives before the guest is ready
// waits for up to `holdSeconds` (by default, three minutes), and goes through once the guest is ready.
test('a life: held at the door, ready, a real build, stopped in order', async (context) => {
  await using rig = await BuilderRig.create({ context, name: 'my büilder' });
  const daemon = rig.begin('daemon');
  await rig.logged('door-listening');

  const early = rig.ssh('id -un');
  const second = await rig.cli('daemon');
  expect(second.end).toBe(75);
  expect(second.stderr).toContain(`pid ${daemon.pid}`);

  await rig.reaches('ready');
  expect(await early.ended).toBe(0);
  expect(early.stdout).toBe('builder\n');
  expect(rig.log('door-released')[0]?.['waiting']).toBe(1);

  const { stdout } = await rig.cli('status', '--json');
  const status = JSON.parse(stdout) as NonNullable<ReturnType<BuilderRig['status']>>;
  expect(status).toMatchObject({ running: true, phase: 'ready', door: { port: rig.port } });
  expect(status.daemon).toEqual(identify(daemon.pid));
  expect(identify(status.vmPid ?? 0)?.program).toMatch(/^qemu-system-/);

  const build = nixBuild(rig, rig.layout.example);
  expect(await build.ended).toBe(0);
  const kernel = await rig.cli('ssh', '--', 'uname -r');
  expect(builtText(rig, build)).toContain(`Linux version ${kernel.stdout.trim()} `);

  expect((await rig.cli('ssh', '--', 'exit 7')).end).toBe(7);
  expect((await rig.cli('ssh', '--root', '--', 'id -u')).stdout).toBe('0\n');
  // sshd was told for how long it may wait for a login.
  const listener = 'for p in /proc/*; do read n <$p/comm && [ $n = sshd ] && cat $p/cmdline; done';
  const { stdout: words } = await rig.cli('ssh', '--root', '--', `(${listener}) 2>/dev/null; true`);
  expect(words).toContain(`LoginGraceTime=${status.accelerator === 'tcg' ? 60 : 20}`);
  expect((await rig.cli('console')).stdout).toContain('linuxkit-builder: stage=sshd');
  expect((await rig.cli('logs')).stdout).toContain('phase phase=ready');

  const asked = performance.now();
  daemon.signal('SIGTERM');
  await fact('the first signal', () => rig.log('signal').length === 1);
  daemon.signal('SIGTERM');
  expect(await daemon.ended).toBe(0);
  expect(performance.now() - asked).toBeLessThan(25_000);
  await rig.leavesNothing();
  expect(rig.log('signal')).toHaveLength(2);
  expect(rig.log('vm-ended')[0]?.['asked']).toBe(true);
  expect(rig.console()).toContain('linuxkit-builder: stage=stopped');
  expect(rig.phases()).toEqual(['starting', 'booting', 'ready', 'stopping', 'stopped']);

  const gone = await rig.cli('status');
  expect(gone.end).toBe(69);
  expect(gone.stdout).toContain('not running');
});
