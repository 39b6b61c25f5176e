import { afterAll, beforeAll, expect, test } from 'vitest';
import { fact, type Command } from './command.ts';
import { deafen } from './deafen.ts';
import { HyperkitRig } from './hyperkit-rig.ts';
import type { BuilderRig } from './rig.ts';

let hyperkit: HyperkitRig;
beforeAll(async () => {
  hyperkit = await HyperkitRig.create();
});
afterAll(() => hyperkit[Symbol.dispose]());

const sees = (rig: BuilderRig, stage: string) =>
  fact(`stage ${stage}`, () => rig.log('seen').some(({ name }) => name === stage));
const isIn = (rig: BuilderRig, wanted: string) =>
  rig.untilStatus(wanted, ({ phase }) => phase === wanted);

/** Moments of a life, by its phase, and how it gets there. */
const moments: readonly (readonly [name: string, get: (rig: BuilderRig) => Promise<unknown>])[] = [
  [
    'starting: VPNKit does not answer',
    (rig) => (hyperkit.tell('vpnkit', { silentAfter: 'accept' }), isIn(rig, 'starting')),
  ],
  ['starting: VPNKit serves', (rig) => sees(rig, 'network-serves')],
  ['starting: HyperKit is launched', (rig) => sees(rig, 'vm-started')],
  ['booting: the initrd', (rig) => sees(rig, 'init')],
  ['booting: the disk', (rig) => sees(rig, 'disk')],
  ['booting: sshd', (rig) => sees(rig, 'sshd')],
  ['ready', (rig) => isIn(rig, 'ready')],
  [
    'backing-off: VPNKit refuses',
    (rig) => (hyperkit.tell('vpnkit', { refuse: 'no' }), isIn(rig, 'backing-off')),
  ],
  [
    'failed: HyperKit does not take its words',
    async (rig) => {
      await sees(rig, 'vm-answers');
      hyperkit.tell('hyperkit', { end: 64 });
      await isIn(rig, 'failed');
    },
  ],
  [
    'stopping: a restart was asked for',
    async (rig) => {
      await isIn(rig, 'ready');
      void rig.cli('restart', '--now');
      await isIn(rig, 'stopping');
    },
  ],
];

test.for(moments)('SIGTERM in %s: over in time, nothing is left', async ([, get], context) => {
  await using rig = await hyperkit.builder(context);
  const arrived = get(rig);
  const daemon = rig.begin('daemon');
  await arrived;
  await endsInTime(rig, daemon);
});

test('a guest that is deaf to the button is asked by its agent as soon as that speaks', async (context) => {
  await using rig = await hyperkit.builder(context);
  const daemon = rig.begin('daemon');
  await sees(rig, 'init');
  hyperkit.tell('hyperkit', { deafToButton: true });
  await sees(rig, 'seed');
  await endsInTime(rig, daemon);
  expect(rig.console()).toContain('stage=stopped');
});

test('a ready guest whose agent, sshd and ACPI daemon are frozen is ended all the same, not before its time', async (context) => {
  await using rig = await hyperkit.builder(context);
  const daemon = rig.begin('daemon');
  await rig.reaches('ready');
  await deafen(rig);
  expect(await endsInTime(rig, daemon)).toBeGreaterThan(10_000);
  expect(rig.log('vm-does-not-end')).toHaveLength(1);
  expect(rig.console()).not.toContain('stage=stopped');
});

/** Milliseconds from SIGTERM to the daemon's end. */
async function endsInTime(rig: BuilderRig, daemon: Command): Promise<number> {
  const asked = performance.now();
  daemon.signal('SIGTERM');
  expect(await daemon.ended, rig.report()).toBe(0);
  const tookMs = performance.now() - asked;
  expect(tookMs).toBeLessThan(25_000);
  await rig.leavesNothing();
  return tookMs;
}
