/** The first thing that the kernel unpacks: a shell, the modules of stage 1 in load order, and the root as one file. */
import {
  cpioArchive,
  dataStart,
  paddingTo,
  S_IFDIR,
  S_IFLNK,
  S_IFREG,
  type CpioEntry,
} from '../../system/cpio.ts';
import type { RootPart } from '../../vm/boot-image.ts';
import { parentOf, type Entry } from './entry.ts';
import { numberedName, type LoadableModule } from './modules.ts';

interface InitrdContent {
  /** Our own files, `init` among them. */
  readonly overlay: readonly Entry[];
  readonly busybox: Uint8Array;
  readonly modules: readonly LoadableModule[];
  readonly squashfs: Uint8Array;
}

interface Initrd {
  readonly bytes: Uint8Array;
  readonly root: RootPart;
}

/**
 * Two archives, which the kernel takes for one: all but the root, and the root, which a VM program can attach as a disk in place of that.
 * Uncompressed: the squashfs is compressed already.
 */
export function makeInitrd({ overlay, busybox, modules, squashfs }: InitrdContent): Initrd {
  const entries: Entry[] = [
    ...overlay,
    { kind: 'file', path: 'bin/busybox', mode: 0o755, data: busybox },
    ...modules.map(({ name, data }, index): Entry => ({
      kind: 'file',
      path: `modules/${numberedName(index, name)}`,
      mode: 0o644,
      data,
    })),
  ];
  const stage1 = cpioArchive(withParents(entries).map(cpioEntryOf));
  const root = { path: 'root.squashfs', mode: S_IFREG | 0o644, data: squashfs };
  const zeros = paddingTo(stage1.length + dataStart(root), pageBytes);
  const at = stage1.length + zeros + dataStart(root);
  return {
    bytes: Buffer.concat([stage1, Buffer.alloc(zeros), cpioArchive([root])]),
    root: { stage1: stage1.length, at, size: squashfs.length },
  };
}

/** A disk's content begins with a page of the file that it is in, so that what is read of it is whole pages. */
const pageBytes = 4096;

/** Each path once, each folder before what is in it. */
function withParents(entries: readonly Entry[]): Entry[] {
  const seen = new Set<string>();
  const add = (entry: Entry): Entry[] => {
    if (seen.has(entry.path)) return [];
    const parent = parentOf(entry.path);
    const above: Entry[] =
      parent === '' ? [] : add({ kind: 'directory', path: parent, mode: 0o755 });
    seen.add(entry.path);
    return [...above, entry];
  };
  return entries.flatMap(add);
}

function cpioEntryOf(entry: Entry): CpioEntry {
  const { path } = entry;
  switch (entry.kind) {
    case 'directory':
      return { path, mode: S_IFDIR | entry.mode };
    case 'file':
      return { path, mode: S_IFREG | entry.mode, data: entry.data };
    case 'symlink':
      return { path, mode: S_IFLNK | 0o777, data: Buffer.from(entry.target) };
    case 'hardlink':
      throw new Error(`the initrd has no hard links, and ${path} is one`);
  }
}
