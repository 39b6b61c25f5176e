/**
 * What does not work on this machine is found out once for all builders of a run: on a machine whose KVM breaks each of them would
 * spend seconds on it. They read it as they read what an earlier start of theirs found; it holds for the same QEMU only.
 */
import { copyFileSync, existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { reapAfterUs } from '../rig/reaper.ts';
import { BuilderRig } from './rig.ts';
import { removeTree } from '../remove-tree.ts';

/** Tries what a start would try, and gives back what removes it. For vitest's `globalSetup`, and for chaos. */
export async function setup(): Promise<() => void> {
  await using rig = await BuilderRig.create();
  await rig.cli('doctor');
  const found = rig.layout.verdicts;
  if (!existsSync(found)) return () => undefined;
  const dir = mkdtempSync(join(tmpdir(), 'lk-known-'));
  reapAfterUs(dir);
  const known = join(dir, 'verdicts.json');
  copyFileSync(found, known);
  process.env['LINUXKIT_TEST_VERDICTS'] = known;
  return () => removeTree(dir);
}

export default setup;
