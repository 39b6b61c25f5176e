/** What of a guest that is away has to outlive a power cut, and in which order. */
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import {
  commitSaved,
  discardSaved,
  takeSaved,
  writeOut,
} from '../../src/supervisor/idle/saved-guest.ts';
import { noteBegun } from '../../src/supervisor/suspend/suspend-trial.ts';
import { removeTree } from '../remove-tree.ts';

/** What was brought onto the medium, by its inode, and which of its names a guest had in that moment; the one that cannot be. */
const medium = vi.hoisted(() => {
  // What another file's tests have loaded has the real one.
  vi.resetModules();
  const flushed: { readonly inode: number; readonly had: readonly boolean[] }[] = [];
  return { flushed, awaited: [] as number[], broken: undefined as number | undefined };
});
vi.mock('node:fs/promises', async (original) => {
  const fs = await original<typeof import('node:fs/promises')>();
  const open = async (path: string) => {
    const file = await fs.open(path);
    const onMedium = file.sync.bind(file);
    const sync = async () => {
      await onMedium();
      medium.awaited.push((await file.stat()).ino);
    };
    return Object.assign(file, { sync });
  };
  return { ...fs, open };
});
vi.mock('node:fs', async (original) => {
  const fs = await original<typeof import('node:fs')>();
  const fsyncSync = (fd: number) => {
    const inode = fs.fstatSync(fd).ino;
    if (inode === medium.broken) throw Object.assign(new Error('EIO'), { code: 'EIO' });
    fs.fsyncSync(fd);
    medium.flushed.push({ inode, had: names() });
  };
  return { ...fs, fsyncSync };
});

let layout: Layout;
beforeEach(() => {
  layout = layoutOf(mkdtempSync(join(tmpdir(), 'medium-')));
  mkdirSync(layout.state);
  writeFileSync(layout.disk, 'the disk');
  writeFileSync(layout.unfinishedMemory, 'the memory');
  medium.flushed.length = medium.awaited.length = 0;
  medium.broken = undefined;
});
afterEach(() => removeTree(layout.root));

const at = '2026-11-28T00:00:00.000Z';
const identity = { program: '/bin/sh', machine: 'a', guest: 'b', host: 'c' };
const commit = () => commitSaved(layout, { identity, at, bootedAt: at, resumes: 0 });
/** Its record, its file, and that before it is whole. */
const names = () => [layout.suspended, layout.memory, layout.unfinishedMemory].map(existsSync);
const inodeOf = (path: string) => statSync(path).ino;
const inodes = () => medium.flushed.map(({ inode }) => inode);

test('the name of the file that says that a trial begins is on the medium before it does', () => {
  noteBegun(layout, 'a');
  expect(inodes()).toContain(inodeOf(layout.state));
});

test('file and disk can be brought onto the medium while all else goes on; what cannot be is left to the commit', async () => {
  await writeOut(layout);
  expect(medium.awaited).toEqual([layout.unfinishedMemory, layout.disk].map(inodeOf));
  rmSync(layout.unfinishedMemory);
  await writeOut(layout);
  expect(commit).toThrow();
});

test('that there is no record is on the medium before a guest boots', () => {
  expect(takeSaved(layout)).toBeUndefined();
  expect(inodes()).toContain(inodeOf(layout.state));
});

// Behaviour 122: A guest is resumed from its file at most once, and only if its disk and the file are unchanged.
test('a guest has a record only when its file and its disk are on the medium, and then that is too', () => {
  commit();
  const first = medium.flushed.filter(({ had: [hasRecord] }) => hasRecord === false);
  const [file, disk, directory] = [layout.memory, layout.disk, layout.state].map(inodeOf);
  expect(new Set(first.map(({ inode }) => inode))).toEqual(new Set([file, disk, directory]));
  // The name that the record will be about.
  expect(first.at(-1)).toEqual({ inode: directory, had: [false, true, false] });
  expect(medium.flushed.slice(first.length)).toEqual([
    { inode: directory, had: [true, true, false] },
  ]);
});

test.each([['unfinishedMemory'], ['disk'], ['state']] as const)(
  'a guest has no record where the medium does not take its %s',
  (what) => {
    medium.broken = inodeOf(layout[what]);
    expect(commit).toThrow('EIO');
    expect(existsSync(layout.suspended)).toBe(false);
  },
);

const spoiled = () => {
  appendFileSync(layout.disk, 'more');
  return takeSaved(layout);
};
const endings = [
  ['taken', () => takeSaved(layout), true],
  ['unfit', spoiled, false],
  ['not wanted', () => discardSaved(layout), false],
] as const;

// Behaviour 122: A guest is resumed from its file at most once, and only if its disk and the file are unchanged.
test.each(endings)(
  'of a guest that is %s, that its record is gone is on the medium first',
  (_, end, keepsFile) => {
    commit();
    medium.flushed.length = 0;
    end();
    expect(medium.flushed).toEqual([{ inode: inodeOf(layout.state), had: [false, true, false] }]);
    expect(names()).toEqual([false, keepsFile, false]);
  },
);

test.each(endings)(
  'no guest begins after one that is %s where the medium does not take that',
  (_, end) => {
    commit();
    medium.broken = inodeOf(layout.state);
    expect(end).toThrow(
      expect.objectContaining({
        failure: expect.objectContaining({ kind: 'cannot-write' }) as object,
      }) as Error,
    );
    expect(existsSync(layout.memory)).toBe(true);
  },
);
