import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { ask } from '../../src/supervisor/daemon/ask-daemon.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { fakeCaffeinate } from '../fakes/fake-caffeinate.ts';
import { fact } from './command.ts';
import { nixBuild, secondMachine } from './nix-client.ts';
import { BuilderRig } from './rig.ts';

// Behaviour 102: `stop` says how many builds are running, lets in no new connections, and waits for logged-in
// connections to end, even while the guest is paused or the daemon does not answer. After ten minutes (`--timeout`),
// it stops the guest anyway; `stop --now` does not wait.
// Behaviour 120: On AC power, a Mac stays awake while a connection is logged in. `caffeinate`, which keeps it awake,
// runs only during that time, and exits with the daemon, however the daemon ends.
// Behaviour 107: `drain` refuses new connections before they log in, in every phase, so that Nix uses other builders;
// connections that have already reached the guest continue. It lasts until `undrain` or until the daemon is
// restarted.
// Behaviour 73: The guest says which connections have logged in. The others neither delay a stop, nor keep the host
// awake, nor keep their place at the door for long; but if the guest cannot tell, all connections that have reached
// it count as logged in.
test('a stop waits for what is running, lets nothing new in, and does not wait when told so', async (context) => {
  await using rig = await BuilderRig.create({ context, configure: ['--keep-awake'] });
  const caffeinate = fakeCaffeinate(rig.dir);
  Object.assign(rig.env, { PATH: `${caffeinate.bin}:${process.env['PATH'] ?? ''}` });
  await rig.up();
  expect(caffeinate.begun()).toBe(0);
  const through = async (count: number) =>
    fact(`${count} connections are through`, async () => {
      const { open } = await ask(rig.layout, 'door', systemClock);
      return open === count;
    });

  const { vmPid } = await rig.reaches('ready');
  // Somebody without a key, who says what ssh says first.
  const stranger = connect(rig.port, '127.0.0.1').on('error', () => undefined);
  stranger.write('SSH-2.0-stranger\r\n');
  await through(1);
  const known = async () => (await ask(rig.layout, 'door', systemClock))['loggedIn'];
  await fact('the guest tells who it is', async () => (await known()) === 0);
  await fact('this machine is not kept awake for him', () => caffeinate.living().length === 0);
  expect((await rig.cli('status')).stdout).toContain(', 1 connection, 1 of them not logged in');
  const first = rig.ssh('read line; echo "built $line"');
  await through(2);
  await fact('it tells who has logged in', async () => (await known()) === 1);
  await fact('this machine is kept awake', () => caffeinate.living().length === 1);
  const restart = rig.begin('restart');
  await fact('the restart says for what it waits', () => restart.said.includes('1 connection is'));
  first.write('first\n');
  await first.ended;
  expect(first.stdout).toBe('built first\n');
  // It does not wait for the stranger, for whom sshd would wait a minute.
  const answered = performance.now();
  await fact('the guest is asked to end', () => rig.phases().includes('stopping'));
  expect(performance.now() - answered).toBeLessThan(30_000);
  expect(await restart.ended).toBe(0);
  await rig.untilStatus('another VM', (now) => now.phase === 'ready' && now.vmPid !== vmPid);
  expect(rig.status()?.door).toEqual({ port: rig.port, draining: false });

  stranger.destroy();
  await through(0);
  expect((await rig.cli('drain')).stdout).toMatch(/^New connections are refused.*\nAll builds/);
  expect(rig.status()?.door).toEqual({ port: rig.port, draining: false, refusing: true });
  expect(await rig.ssh('true').ended).toBe(255);
  // Nix passes it over, and asks the next machine.
  const second = secondMachine(rig);
  const passed = nixBuild(rig, rig.layout.example, second);
  expect(await passed.ended).not.toBe(0);
  expect(passed.stderr).toContain("cannot build on 'ssh-ng://builder@nix-linuxkit'");
  expect(second.wasAsked()).toBe(true);
  expect((await rig.cli('undrain')).stdout).toBe('New connections are accepted again.\n');
  expect(await rig.ssh('true').ended).toBe(0);
  const another = secondMachine(rig);
  const taken = nixBuild(rig, rig.layout.example, another);
  expect(await taken.ended, taken.said).toBe(0);
  expect(another.wasAsked()).toBe(false);
  // Its connection ends a moment after it does.
  await through(0);

  const build = rig.ssh('read line; echo "built $line"');
  await through(1);
  const stop = rig.begin('stop');
  await fact('the stop says for what it waits', () => stop.said.includes('1 connection is in use'));
  const late = rig.ssh('echo too late');
  await fact('the late one is held', async () => {
    const { held } = await ask(rig.layout, 'door', systemClock);
    return held === 1;
  });
  expect(stop.end).toBeUndefined();
  expect(rig.status()?.door).toEqual({ port: rig.port, draining: true });
  build.write('it\n');
  await build.ended;
  expect(build.stdout).toBe('built it\n');
  expect(await stop.ended).toBe(0);
  await late.ended;
  expect(late.said).not.toContain('too late');
  await rig.leavesNothing();

  await rig.up();
  const endless = rig.ssh('read line');
  await through(1);
  const begun = performance.now();
  expect((await rig.cli('stop', '--now')).end).toBe(0);
  expect(performance.now() - begun).toBeLessThan(25_000);
  await endless.ended;
  await rig.leavesNothing();
  expect(caffeinate.living()).toEqual([]);

  await rig.up();
  const last = rig.ssh('read line; echo "built $line"');
  await through(1);
  const removal = rig.begin('unconfigure', '--no-root');
  await fact('the removal says for what it waits', () =>
    removal.said.includes('1 connection is in use'),
  );
  expect(rig.status()?.door).toEqual({ port: rig.port, draining: true });
  last.write('last\n');
  await last.ended;
  expect(last.stdout).toBe('built last\n');
  expect(await removal.ended).toBe(0);
  await rig.leavesNothing();
  // The daemon still works; but nobody sends it anything.
  const again = await rig.cli('start');
  expect(again.said).toContain(
    `This builder is not registered with Nix, so no builds are sent to it. Register it: linuxkit-builder configure -d ${rig.layout.root}`,
  );
  expect((await rig.cli('stop', '--now')).end).toBe(0);
});
