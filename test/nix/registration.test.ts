import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { expect, test } from 'vitest';
import { notRegistered } from '../../src/nix/registration.ts';
import { configureRig } from '../setup/configure-rig.ts';
import { saying } from '../fakes/saying.ts';

test('whether Nix knows of a builder is what root keeps of it', () => {
  using rig = configureRig();
  const why = () => notRegistered(rig.layout, { env: { LINUXKIT_BUILDER_TREE: rig.tree } });
  const keep = (text: string) => {
    mkdirSync(dirname(rig.root.installed), { recursive: true });
    writeFileSync(rig.root.installed, text);
  };
  const owner = (directory: string) =>
    JSON.stringify({ owner: { name: 'ann', uid: 1, directory } });
  expect(why()).toBeDefined();
  keep(owner(rig.layout.root));
  expect(why()).toBeUndefined();
  keep(owner('/elsewhere'));
  expect(why()).toEqual(saying(/ann.*\/elsewhere/));
  // What cannot be read says nothing: doctor looks closer.
  for (const text of ['', '{', '[]', '{"owner": 7}']) {
    keep(text);
    expect(why()).toBeUndefined();
  }
  rmSync(rig.root.installed);
  expect(why()).toBeDefined();
});
