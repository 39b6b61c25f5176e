import { expect, test } from 'vitest';
import { BuilderRig } from './rig.ts';

// Behaviour 82: While the agent is silent, the daemon tries logins like Nix's, one at a time, and `status` says
// whether builds get through. A login that is answered is a sign of life.
test('a guest whose agent is silent is slow, and what builds find there is told', async (context) => {
  await using rig = await BuilderRig.create({ context });
  await rig.up();
  const { vmPid } = await rig.reaches('ready');
  const asRoot = async (command: string) =>
    expect((await rig.cli('ssh', '--root', '--', command)).end).toBe(0);
  const words = async () => (await rig.cli('status')).stdout.replaceAll(/\s+/g, ' ');

  await asRoot('kill -STOP $(pidof qemu-ga)');
  await rig.untilStatus('a login works', ({ login }) => login?.works === true);
  expect(await words()).toContain('but a login reaches the Nix daemon');
  const { stdout } = await rig.cli('status', '--json');
  expect(JSON.parse(stdout)).toMatchObject({ health: 'slow', login: { works: true } });

  // Logins go on to be greeted: only the nix-daemon behind the socket does not answer.
  await asRoot('for pid in $(pidof nix-daemon); do oldest=$pid; done; kill -STOP "$oldest"');
  await rig.untilStatus('a login fails', ({ login }) => login?.works === false);
  expect(await words()).toContain('nix-daemon does not answer');

  await asRoot('kill -CONT $(pidof nix-daemon qemu-ga)');
  // While its clock is still being set the last login is told for a moment more.
  await rig.untilStatus(
    'it is well',
    ({ health, login }) => health === 'well' && login === undefined,
  );
  expect(await rig.reaches('ready')).toMatchObject({ vmPid });
  expect(rig.log('login').map(({ works }) => works)).toEqual([true, false]);
  expect((await rig.cli('stop')).end).toBe(0);
  await rig.leavesNothing();
});
