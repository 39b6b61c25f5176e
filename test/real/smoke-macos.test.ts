import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { HyperkitRig } from './hyperkit-rig.ts';
import { BuilderRig, testImage } from './rig.ts';
import { VfkitRig } from './vfkit-rig.ts';

// What takes too long is the daemon's to say, for each boot; the limits here are for what hangs.
test('scripts/smoke-macos finds every step well, but for those that need macOS', async (context) => {
  using hyperkit = await HyperkitRig.create();
  await using rig = await hyperkit.builder(context);
  await isWell(rig, 'vpnkit', { steps: 25 });
}, 1_500_000);

test('so it does with vfkit: each part killed, where the framework keeps the disk for a while', async (context) => {
  using vfkit = await VfkitRig.create();
  // The oldest vfkit, and the other answers to what nobody is sure of.
  vfkit.switch({
    version: '0.6.0',
    lockLingersMs: 1_000,
    reboot: 'ends',
    hardStopReply: 'sent',
    canRequestStop: false,
  });
  await using rig = await vfkit.builder(context);
  await isWell(rig, 'vfkit', { steps: 22 });
}, 1_500_000);

test('so it does with QEMU, the real one', async (context) => {
  await using rig = await BuilderRig.create({ context });
  // Whether the guest runs by hvf is asked on macOS alone.
  await isWell(rig, 'qemu', { steps: 18, skipped: 11 });
}, 1_500_000);

interface Expected {
  /** At least. */
  readonly steps: number;
  readonly skipped?: number;
}

/** Runs it, and expects so many steps to be well. */
async function isWell(
  rig: BuilderRig,
  what: string,
  { steps, skipped = 10 }: Expected,
): Promise<void> {
  const script = join(resolve(import.meta.dirname, '../..'), 'scripts/smoke-macos');
  const smoke = rig.run([script, what], {
    env: {
      PATH: process.env['PATH'] ?? '',
      // Below the rig's, which ends whatever runs there, also when the script is ended half-way.
      SMOKE_DIR: join(rig.dir, 'm'),
      LINUXKIT_TEST_IMAGE: testImage(),
    },
  });
  expect(await smoke.ended, smoke.said).toBe(0);
  expect(smoke.stdout.match(/^skipped/gm)).toHaveLength(skipped);
  expect(smoke.stdout.match(/^ok {2}/gm)?.length).toBeGreaterThanOrEqual(steps);
  expect(smoke.stdout).toContain('All is well.');
  expect(smoke.stdout).not.toContain(rig.dir);
}
