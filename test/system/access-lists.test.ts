/** What macOS’s ls says of an access control list, by a stand-in with the words of its manual; nobody has run this on a Mac. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { layoutOf } from '../../src/config/layout.ts';
import { checkStateDirectory } from '../../src/doctor/host/check-state.ts';
import { markDirectory } from '../../src/host/directory/directory-mark.ts';
import { openedByLists } from '../../src/system/files/access-lists.ts';
import { makeDirectory } from '../../src/system/files/files.ts';
import { removeTree } from '../remove-tree.ts';

let dir = '';
let ls = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'lists-'));
  ls = join(dir, 'ls');
});
afterEach(() => removeTree(dir));

function says(...entries: string[]) {
  const lines = entries.map((entry, n) => ` ${n}: ${entry}`).join('\n');
  const script = `#!/bin/sh\n[ "$1" = -lde ] || exit 1\necho "drwx------+ 3 ann  staff  96 Jan  2 03:04 $3"\n`;
  writeFileSync(ls, `${script}cat <<'END'\n${lines}\nEND\n`, { mode: 0o755 });
}
const mac = () => ({ platform: 'darwin', ls, me: 'ann' }) as const;

// Behaviour 181: On macOS, root's scripts and `doctor` also check access control lists, because such a list can let
// others change a directory whose mode is right.
test.each([
  ['user:bob allow list,add_file', 'anything', 'change'],
  ['group:staff inherited allow delete_child,directory_inherit', 'anything', 'change'],
  ['user:bob allow list,search,readattr', 'anything'],
  ['group:everyone deny delete'],
  ['user:ann allow list,add_file'],
  ['user:root inherited allow list,add_file'],
])('%s', async (entry, ...rights) => {
  says('group:everyone deny delete', entry);
  for (const right of ['anything', 'change'] as const)
    expect(await openedByLists([dir], right, mac())).toEqual(
      rights.includes(right) ? [{ path: dir, entry }] : [],
    );
  expect(await openedByLists([dir], 'anything', { platform: 'linux', ls })).toEqual([]);
});

test('of what is not there, or by an ls that does not know them, nothing is said', async () => {
  writeFileSync(ls, '#!/bin/sh\nexit 1\n', { mode: 0o755 });
  expect(await openedByLists([join(dir, 'none')], 'anything', mac())).toEqual([]);
});

test('doctor says so of the state directory', async () => {
  const layout = layoutOf(join(dir, 'state'));
  markDirectory(layout);
  for (const path of [layout.state, layout.keys]) makeDirectory(path);
  says('user:bob allow list,search');
  const verdict = await checkStateDirectory(layout, (paths) =>
    openedByLists(paths, 'anything', mac()),
  );
  expect(verdict).toMatchObject({ kind: 'bad', remedy: `chmod -N '${layout.root}'` });
  says();
  expect(
    await checkStateDirectory(layout, (paths) => openedByLists(paths, 'anything', mac())),
  ).toEqual({ kind: 'good', fact: layout.root });
});
