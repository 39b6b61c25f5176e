import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fact } from './command.ts';
import { HyperkitRig } from './hyperkit-rig.ts';

let hyperkit: HyperkitRig;
beforeAll(async () => {
  hyperkit = await HyperkitRig.create();
});
afterAll(() => hyperkit[Symbol.dispose]());

test('a guest of HyperKit that does nothing but write to its disk is slow; one that does not even that is frozen', async (context) => {
  await using rig = await hyperkit.builder(context);
  await rig.up();
  const { vmPid } = await rig.reaches('ready');
  const before = rig.log('phase').length;
  // Agent and sshd stand still; something writes for as long as a frozen guest would need to be found, and longer.
  const script = `for pid in $(pidof sshd); do oldest=$pid; done
    (for n in $(seq 1 35); do echo $n >>/nix/var/life; sync; sleep 1; done) >/dev/null 2>&1 </dev/null &
    kill -STOP $(pidof qemu-ga) $oldest`;
  expect((await rig.cli('ssh', '--root', '--', script)).end).toBe(0);
  const silentSince = performance.now();
  await rig.untilStatus('it is slow', ({ health }) => health === 'slow');
  await fact('a frozen one would have been found', () => {
    expect(rig.status()).toMatchObject({ phase: 'ready', vmPid });
    return performance.now() - silentSince > 32_000;
  });
  expect(rig.status()?.health).toBe('slow');

  const failure = await fact('it is frozen', () =>
    rig
      .log('phase')
      .slice(before)
      .find((line) => line['failure'] !== undefined),
  );
  expect(failure['failure']).toMatchObject({ kind: 'guest-frozen' });
  await rig.untilStatus('another VM', (status) => (status.vmPid ?? vmPid) !== vmPid);
  expect(readdirSync(rig.layout.incidents)).toHaveLength(1);
});
