/** What `configure` cannot do whole it does not begin. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, test } from 'vitest';
import { configureRig } from './configure-rig.ts';
import { needs } from '../needs.ts';
import { removeTree } from '../remove-tree.ts';

type Rig = ReturnType<typeof configureRig>;

/** What stands in the way, by the kind of the failure that says so. */
const obstacles: readonly (readonly [string, string, (rig: Rig) => void])[] = [
  ['where the ssh configuration is, a directory', 'not-a-file', ({ root }) => inPlaceOf(root.ssh)],
  ["where Nix's list is, a directory", 'not-a-file', ({ root }) => inPlaceOf(root.machines)],
  ['where ~/.ssh is, a file', 'cannot-write', ({ root }) => writeFileSync(dirname(root.ssh), '')],
  [
    'a key that is none',
    'identity-broken',
    ({ layout }) => {
      mkdirSync(layout.keys, { recursive: true, mode: 0o700 });
      writeFileSync(layout.mark, '');
      writeFileSync(layout.clientKey, 'x', { mode: 0o600 });
    },
  ],
];

function inPlaceOf(path: string): void {
  rmSync(path, { force: true });
  mkdirSync(path, { recursive: true });
}

// Behaviour 191: `configure` plans everything before it writes the first file. If any file that it would write cannot
// be read or written, it changes nothing.
describe('a configure that is refused has changed nothing', needs('root'), () => {
  test.each(obstacles)('%s', async (_, kind, put) => {
    using rig = configureRig();
    put(rig);
    const before = rig.snapshot();
    for (const argv of [['-c', '1'], ['--dry-run']]) {
      const { failure, out } = await rig.run(...argv);
      expect(failure).toMatchObject({ kind });
      expect(out).toEqual([]);
      expect(rig.snapshot()).toEqual(before);
    }
  });

  test('of a builder that is there, too', async () => {
    using rig = configureRig();
    await rig.run('-c', '1');
    removeTree(dirname(rig.root.ssh));
    writeFileSync(dirname(rig.root.ssh), '');
    const before = rig.snapshot();
    const refused = await rig.run('-c', '2', '--port', '24999');
    expect(refused.failure).toMatchObject({ kind: 'cannot-write' });
    expect(rig.snapshot()).toEqual(before);
  });
});
