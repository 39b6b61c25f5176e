/** The main job on the oldest and the newest Node that we promise. */
import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { builtText, nixBuild } from './nix-client.ts';
import { BuilderRig } from './rig.ts';

const nodes = (process.env['LINUXKIT_TEST_NODES'] ?? '').split(':').filter((path) => path !== '');
if (nodes.length === 0) {
  console.warn(
    'LINUXKIT_TEST_NODES names no other Node (paths, with colons between them): skipped.',
  );
  test.skip('the main job on another Node');
}

test.each(nodes)('the main job on %s', async (node) => {
  await using rig = await BuilderRig.create({ node });
  await rig.up();
  expect((await rig.cli('wait')).stdout).toBe('Ready.\n');
  const build = nixBuild(rig, rig.layout.example);
  expect(await build.ended, build.said).toBe(0);
  expect(builtText(rig, build)).toMatch(/^Linux version .*Debian/);
  expect((await rig.cli('ssh', '--', 'exit 9')).end).toBe(9);
  expect((await rig.cli('stop')).stdout).toBe('Stopped.\n');
  await rig.leavesNothing();
  const [started] = rig.log('daemon-started');
  const { stdout } = spawnSync(node, ['--version'], { encoding: 'utf8' });
  expect(started?.['node']).toBe(stdout.trim());
  expect(rig.console()).toContain('stage=stopped');
  // A warning of Node's own would be said here.
  expect(rig.report()).not.toMatch(/Warning: |\(node:\d+\)/);
});
