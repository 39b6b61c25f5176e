import { expect, test } from 'vitest';
import { fact } from './command.ts';
import { deafen } from './deafen.ts';
import { BuilderRig } from './rig.ts';

// Behaviour 103: On SIGTERM, the daemon shuts the guest down cleanly, then stops the VM, then the network program. It
// exits with 0 within 25 s, in every phase, even while it is starting.
test('a guest that listens to nobody is ended in time all the same', async (context) => {
  await using rig = await BuilderRig.create({ context });
  const daemon = rig.begin('daemon');
  await rig.reaches('ready');
  // Neither the agent, nor the power button, nor a login is heard any more.
  await deafen(rig);

  const asked = performance.now();
  daemon.signal('SIGTERM');
  expect(await daemon.ended).toBe(0);
  const tookMs = performance.now() - asked;
  expect(tookMs).toBeGreaterThan(10_000);
  expect(tookMs).toBeLessThan(25_000);
  await rig.leavesNothing();
  expect(rig.console()).not.toContain('stage=stopped');
  expect(rig.log('vm-does-not-end')).toHaveLength(1);
});

// Behaviour 104: A second SIGTERM within a second counts as part of the first. A later one stops everything at once.
test('a second SIGTERM, more than a second after the first, does not wait for the guest', async (context) => {
  await using rig = await BuilderRig.create({ context });
  const daemon = rig.begin('daemon');
  // The kernel has only begun: no button is heard yet.
  await rig.reaches('booting');
  const asked = performance.now();
  daemon.signal('SIGTERM');
  await fact('it is another signal', () => performance.now() - asked > 1_050);
  expect(daemon.end).toBeUndefined();
  daemon.signal('SIGTERM');
  expect(await daemon.ended).toBe(0);
  expect(performance.now() - asked).toBeLessThan(3_000);
  await rig.leavesNothing();
});
