/** The first thing that the kernel unpacks: a shell, the modules of stage 1 in load order, and the root as one file. */
import { cpioArchive, S_IFDIR, S_IFLNK, S_IFREG, type CpioEntry } from '../../system/cpio.ts';
import { parentOf, type Entry } from './entry.ts';
import { numberedName, type LoadableModule } from './modules.ts';

interface InitrdContent {
  /** Our own files, `init` among them. */
  readonly overlay: readonly Entry[];
  readonly busybox: Uint8Array;
  readonly modules: readonly LoadableModule[];
  readonly squashfs: Uint8Array;
}

/** An uncompressed archive: the squashfs is compressed already, and the kernel copies it as fast as memory goes. */
export function makeInitrd({ overlay, busybox, modules, squashfs }: InitrdContent): Uint8Array {
  const entries: Entry[] = [
    ...overlay,
    { kind: 'file', path: 'bin/busybox', mode: 0o755, data: busybox },
    ...modules.map(({ name, data }, index): Entry => ({
      kind: 'file',
      path: `modules/${numberedName(index, name)}`,
      mode: 0o644,
      data,
    })),
    { kind: 'file', path: 'root.squashfs', mode: 0o644, data: squashfs },
  ];
  return cpioArchive(withParents(entries).map(cpioEntryOf));
}

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
