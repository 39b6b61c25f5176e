/** The same life on the other versions of Node that we promise. */
import { expect, test } from 'vitest';
import { BuilderRig } from './rig.ts';

const nodes = (process.env['LINUXKIT_TEST_NODES'] ?? '').split(':').filter((path) => path !== '');
if (nodes.length === 0) {
  console.warn(
    'LINUXKIT_TEST_NODES names no other Node (paths, with colons between them): skipped.',
  );
  test.skip('a short life on another Node');
}

test.each(nodes)('a short life on %s', async (node) => {
  await using rig = await BuilderRig.create({ node });
  await rig.up();
  expect((await rig.cli('wait')).stdout).toBe('Ready.\n');
  expect((await rig.cli('ssh', '--', 'exit 9')).end).toBe(9);
  expect((await rig.cli('stop')).stdout).toBe('Stopped.\n');
  await rig.leavesNothing();
  const [started] = rig.log('daemon-started');
  expect(node).toContain(String(started?.['node']).slice(1, 3));
  expect(rig.console()).toContain('stage=stopped');
  // A warning of Node's own would be said here.
  expect(rig.report()).not.toMatch(/Warning: |\(node:\d+\)/);
});
