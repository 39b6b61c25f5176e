/** What doctor says of the place of the guest's disk. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { diskSpace } from '../../src/doctor/host/check-disk.ts';
import { layoutOf } from '../../src/config/layout.ts';
import { removeTree } from '../remove-tree.ts';

let dir = '';
beforeAll(() => void (dir = mkdtempSync(join(tmpdir(), 'disk-'))));
afterAll(() => removeTree(dir));

test.each([
  ['darwin', '/Volumes/Stick/builder', true],
  ['darwin', '/Users/a/.cache/nix-linuxkit-builder', false],
  ['linux', '/Volumes/builder', false],
] as const)(
  "on %s at %s: whether it is another volume than the Mac's own",
  (platform, place, is) => {
    const verdict = diskSpace(layoutOf(dir), { diskGiB: 1 }, { platform, place });
    expect(JSON.stringify(verdict).includes('UTM/issues')).toBe(is);
  },
);
