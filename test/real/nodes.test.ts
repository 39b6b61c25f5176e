/** The main job on the oldest and the newest Node that we promise, by the program as npm installs it, in a place that cannot be written. */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { builtText, nixBuild } from './nix-client.ts';
import { BuilderRig } from './rig.ts';
import { isMet, needs, type Need } from '../needs.ts';
import { removeTree } from '../remove-tree.ts';

const nodes = (process.env['LINUXKIT_TEST_NODES'] ?? '').split(':').filter((path) => path !== '');
const others: Need = {
  what: 'other Nodes (LINUXKIT_TEST_NODES: paths, with colons between them)',
  isMet: nodes.length > 0,
};
const tried = isMet(others) ? nodes : ['another Node'];

/** Made by scripts/test of what npm packs. */
const prefix = resolve(import.meta.dirname, '../../.cache/packed/prefix');
const installed = join(prefix, 'lib/node_modules/linuxkit-builder');
const scratch = mkdtempSync(join(tmpdir(), 'nodes-'));
afterAll(() => removeTree(scratch));

/** That Node, to which the installed program's place is read-only: modes do not hold root back, and a mount of its own does. */
function withoutWriting(node: string): string {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) {
    console.warn('Only root on Linux can mount: the program is run where it could be written.');
    return node;
  }
  const wrapper = join(scratch, 'node');
  const script = `#!/bin/sh
exec unshare --mount --propagation private sh -c '
    mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && ! touch "$1/probe" 2>/dev/null || exit 1
    shift
    exec "$@"' sh '${prefix}' '${node}' "$@"
`;
  writeFileSync(wrapper, script);
  chmodSync(wrapper, 0o755);
  return wrapper;
}

test.for(tried)('the main job on %s', needs(others), async (node, context) => {
  const program = join(installed, 'dist/main.js');
  if (!existsSync(program)) throw new Error(`There is no ${program}. Make it: scripts/test setup`);
  const brought = readdirSync(join(installed, 'node_modules')).filter(
    (name) => !name.startsWith('.'),
  );
  expect(brought).toEqual(['openpgp', 'xz-decompress']);
  await using rig = await BuilderRig.create({ context, node: withoutWriting(node), program });
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
