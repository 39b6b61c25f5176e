/** Deleting a state directory: what we put there and nothing else, since -d may have named any directory. */
import { existsSync, lstatSync, readlinkSync, rmSync, rmdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Layout } from '../config/layout.ts';
import { errorCode } from '../system/failure.ts';
import { fileOfUnfinished, namesIfThere } from '../system/files/files.ts';
import { mayBeOurs } from './state-directory.ts';

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
  const stats = statSync(disk, { throwIfNoEntry: false });
  // Sparse: what it takes is its blocks of 512 bytes.
  return (
    stats && `the guest's disk (${((stats.blocks * 512) / 1024 ** 3).toFixed(1)} GiB of builds)`
  );
}

/** Deletes what is ours; the names of what is left, which is not. */
export function purge(layout: Layout): string[] {
  const { root, keys, downloads, images, gcRoots, state } = layout;
  const files = [
    layout.config,
    layout.disk,
    layout.diskRecord,
    layout.imageLock,
    layout.vmLock,
    layout.example,
    layout.machines,
    layout.sshConfig,
    layout.receipts,
    layout.rootRequest,
    join(root, '.size'),
  ];
  if (!mayBeOurs(layout)) return namesIfThere(root);
  for (const path of files) rmSync(path, { force: true });
  const written = files.filter((path) => path !== layout.disk).map((path) => basename(path));
  for (const name of namesIfThere(root))
    if (written.includes(fileOfUnfinished(name) ?? '')) rmSync(join(root, name));
  if (!isLink(state)) rmSync(state, { recursive: true, force: true });
  // Names that others use too: only what is certainly ours goes.
  for (const name of ownNames(keys))
    if (isKey(fileOfUnfinished(name) ?? name)) rmSync(join(keys, name), { recursive: true });
  for (const name of ownNames(downloads))
    // Packages by their hash, and the lock of whoever fetches them.
    if (/^([0-9a-f]{64}(\.partial)?|downloading\.(lock|kernel))$/.test(name))
      rmSync(join(downloads, name), { recursive: true });
  for (const name of ownNames(images))
    if (isImage(join(images, name))) rmSync(join(images, name), { recursive: true });
  for (const name of ownNames(gcRoots))
    if (isGcRoot(join(gcRoots, name))) rmSync(join(gcRoots, name));
  for (const directory of [keys, downloads, images, gcRoots]) removeIfEmpty(directory);
  // It says that the rest is ours, so it goes last.
  rmSync(layout.mark, { force: true });
  removeIfEmpty(root);
  return namesIfThere(root);
}

/** What configure makes there, also where it was killed before it had the name. */
const isKey = (name: string): boolean =>
  /^((client|root|host)_ed25519(\.pub)?|known_hosts|\.unfinished-\w{6})$/.test(name);

const isLink = (path: string): boolean =>
  lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;

const isGcRoot = (path: string): boolean =>
  isLink(path) && readlinkSync(path).startsWith('/nix/store/');

/** A folder that `image build` made, or a file of an image. */
function isImage(path: string): boolean {
  const stats = lstatSync(path);
  if (!stats.isDirectory()) return stats.isFile() && isImageFile(basename(path));
  const names = namesIfThere(path);
  return basename(path).startsWith('.builder-') || (names.length > 0 && names.every(isImageFile));
}
const isImageFile = (name: string): boolean =>
  /-(kernel|initrd\.img|cmdline|manifest\.json)(\.new)?$|^root\.squashfs$/.test(name);

/** What a link leads to is somebody's, whatever it holds. */
const ownNames = (directory: string): string[] =>
  isLink(directory) ? [] : namesIfThere(directory);

function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST', 'ENOENT', 'ENOTDIR'].includes(errorCode(error) ?? '')) throw error;
  }
}
