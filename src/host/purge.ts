/** Deleting a state directory: what we put there and nothing else, since -d may have named any directory. */
import { existsSync, lstatSync, readlinkSync, rmSync, rmdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Layout } from '../config/layout.ts';
import { errorCode } from '../system/failure.ts';
import { fileOfUnfinished, namesIfThere } from '../system/files/files.ts';
import { marksIn, mayBeOurs } from './directory/directory-mark.ts';
import { isOwnState } from './directory/own-state.ts';
import { statsIfThere, linkStatsIfThere } from '../system/stats.ts';

/** What would be lost, in words. */
export function lossOf(layout: Layout): string[] {
  const { keys, images } = layout;
  const disk = diskLoss(layout);
  return [
    ...(disk === undefined ? [] : [disk]),
    ...(existsSync(keys) ? ['the keys'] : []),
    ...(existsSync(images) ? ['the guest images'] : []),
  ];
}

/** The same in a sentence: the last of several after "and". */
export const describeLoss = (loss: readonly string[], directory: string): string => {
  const before = loss.slice(0, -1).join(', ');
  return `${before === '' ? '' : `${before} and `}${loss.at(-1) ?? ''} in ${directory}`;
};

/** What would be lost with the disk; undefined where there is none. */
export function diskLoss({ disk }: Pick<Layout, 'disk'>): string | undefined {
  const stats = statsIfThere(disk);
  // Sparse: what it takes is its blocks of 512 bytes.
  return (
    stats && `the guest's disk (${((stats.blocks * 512) / 1024 ** 3).toFixed(1)} GiB of builds)`
  );
}

/** Deletes what is ours; the names of what is left, which is not. */
export function purge(layout: Layout): string[] {
  const { root, state } = layout;
  if (!mayBeOurs(layout)) return namesIfThere(root);
  const files = ownFiles(layout);
  for (const path of [...files, layout.disk]) rmSync(path, { force: true });
  // Not the disk's: it is never written whole, so that a name like its with digits behind is somebody's copy.
  const written = files.map((path) => basename(path));
  for (const name of namesIfThere(root))
    if (written.includes(fileOfUnfinished(name) ?? '')) rmSync(join(root, name));
  for (const { directory, isOurs, recursive } of sharedFolders(layout)) {
    for (const path of pathsIn(directory).filter(isOurs)) rmSync(path, { recursive });
    removeIfEmpty(directory);
  }
  // It says that the rest is ours, so it goes last.
  for (const path of marksIn(layout)) rmSync(path);
  removeIfEmpty(root);
  // By name, since one would take all of that for ours.
  const inState = pathsIn(state).map((path) => join(basename(state), basename(path)));
  return namesIfThere(root).flatMap((name) =>
    name === basename(state) && inState.length > 0 ? inState : [name],
  );
}

/** Directly below the root, under names that nobody else uses; without the disk. */
const ownFiles = (layout: Layout): readonly string[] => [
  layout.config,
  layout.diskRecord,
  layout.imageLock,
  layout.vmLock,
  layout.example,
  layout.machines,
  layout.sshConfig,
  layout.receipts,
  layout.rootRequest,
  join(layout.root, '.size'),
];

/** Names that others use too: only what is certainly ours goes from them. */
const sharedFolders = ({ state, keys, downloads, images, gcRoots }: Layout) =>
  [
    { directory: state, isOurs: isOwnState, recursive: true },
    { directory: keys, isOurs: isKey, recursive: true },
    { directory: downloads, isOurs: isDownload, recursive: true },
    { directory: images, isOurs: isImage, recursive: true },
    // Links alone: what one leads to is Nix's.
    { directory: gcRoots, isOurs: isGcRoot, recursive: false },
  ] as const;

/** What configure makes there, also where it was killed before it had the name. */
function isKey(path: string): boolean {
  const name = fileOfUnfinished(basename(path)) ?? basename(path);
  return /^((client|root|host)_ed25519(\.pub)?|known_hosts|\.unfinished-\w{6})$/.test(name);
}

/** Packages by their hash, and the lock of whoever fetches them. */
const isDownload = (path: string): boolean =>
  /^([0-9a-f]{64}(\.partial)?|downloading\.(lock|kernel))$/.test(basename(path));

const isLink = (path: string): boolean => linkStatsIfThere(path)?.isSymbolicLink() === true;

const isGcRoot = (path: string): boolean =>
  isLink(path) && readlinkSync(path).startsWith('/nix/store/');

/** A folder that `image build` made, or a file of an image. */
function isImage(path: string): boolean {
  const stats = lstatSync(path);
  if (!stats.isDirectory()) return stats.isFile() && isImageFile(basename(path));
  const names = namesIfThere(path);
  return basename(path).startsWith('.builder-') || (names.length > 0 && names.every(isImageFile));
}
/** With the prefixes of ../config/image-prefix.ts; what somebody has had made under another name is his. */
const isImageFile = (name: string): boolean =>
  /^(builder|good|new)(-(amd64|arm64))?-(kernel|vmlinux|initrd\.img|cmdline|manifest\.json)(\.new)?$|^root\.squashfs$/.test(
    name,
  );

/** What a link leads to is somebody's, whatever it holds. */
const pathsIn = (directory: string): string[] =>
  isLink(directory) ? [] : namesIfThere(directory).map((name) => join(directory, name));

/** One that cannot be removed stays, too: it is a mount point, say, or the directory above it is not ours to write. */
function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
  }
}
