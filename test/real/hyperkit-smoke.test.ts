import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { HyperkitRig } from './hyperkit-rig.ts';
import { testImage } from './rig.ts';

const checkout = resolve(import.meta.dirname, '../..');

test('scripts/smoke-macos finds every step well, but for those that need macOS', async (context) => {
  using hyperkit = await HyperkitRig.create();
  await using rig = await hyperkit.builder(context);
  const smoke = rig.run([join(checkout, 'scripts/smoke-macos'), 'vpnkit'], {
    env: {
      PATH: process.env['PATH'] ?? '',
      // Below the rig's, which ends whatever runs there, also when the script is ended half-way.
      SMOKE_DIR: join(rig.dir, 'm'),
      LINUXKIT_TEST_IMAGE: testImage(),
    },
  });
  expect(await smoke.ended, smoke.said).toBe(0);
  expect(smoke.stdout.match(/^skipped/gm)).toHaveLength(9);
  expect(smoke.stdout.match(/^ok {2}/gm)?.length).toBeGreaterThanOrEqual(23);
  expect(smoke.stdout).toContain('All is well.');
  expect(smoke.stdout).not.toContain(rig.dir);
}, 240_000);
