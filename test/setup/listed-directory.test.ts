/** A state directory that an access control list of macOS opens, as ls(1) would tell of it. */
import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { afterEach, expect, test, vi } from 'vitest';
import { keepPrivate } from '../../src/host/directory/private-directories.ts';
import type { ListEntry } from '../../src/system/files/access-lists.ts';
import { failureOf } from '../../src/system/failure.ts';
import { needs } from '../needs.ts';
import { configureRig } from './configure-rig.ts';

/** The directories that have a list. */
const lists = vi.hoisted(() => {
  // What another file's tests have loaded asks the real ls.
  vi.resetModules();
  return { of: [] as readonly string[] };
});
const entry = 'group:staff inherited allow add_file,delete_child,file_inherit';
vi.mock('../../src/system/files/access-lists.ts', () => ({
  openedByLists: (paths: readonly string[]): Promise<readonly ListEntry[]> =>
    Promise.resolve(
      paths
        .filter((path) => lists.of.includes(path) && existsSync(path))
        .map((path) => ({ path, entry })),
    ),
}));
afterEach(() => (lists.of = []));

// Behaviour 26: On macOS, `configure` and the daemon refuse a state directory that an access control list opens to
// other users, before any key is made in it.
test(
  'is given no keys by configure, whether it is there or gets the list of its parent',
  needs('root'),
  async () => {
    using rig = configureRig();
    const { layout } = rig;
    lists.of = [layout.keys];
    for (let times = 0; times < 2; times++) {
      const { failure } = await rig.run();
      expect(failure).toMatchObject({
        kind: 'directory-not-trusted',
        hint: expect.stringContaining(`chmod -N '${layout.keys}'`) as string,
      });
      expect(existsSync(layout.clientKey)).toBe(false);
      expect(existsSync(layout.config)).toBe(false);
    }
    lists.of = [];
    expect((await rig.run()).failure).toBeUndefined();
  },
);

test('lets no daemon begin, and no guest start', needs('root'), async () => {
  using rig = configureRig();
  const { layout } = rig;
  mkdirSync(layout.images, { recursive: true });
  chmodSync(layout.root, 0o700);
  await keepPrivate(layout);
  lists.of = [layout.images];
  const failure = await keepPrivate(layout).catch(failureOf);
  expect(failure).toMatchObject({ kind: 'directory-not-trusted', recovery: 'wait' });
});
