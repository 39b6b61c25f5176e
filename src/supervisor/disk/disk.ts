/** The data disk as a file of the host: made sparse, grown, recognised; never formatted and never made smaller here. */
import { closeSync, fstatSync, ftruncateSync, openSync, readSync } from 'node:fs';
import { Exit, Failed, errorCode, type Failure } from '../../system/failure.ts';
import { cannotWrite } from '../../system/files/cannot-write.ts';
import { whatHelps } from '../../system/files/barrier.ts';
import { reasons } from '../../system/files/reasons.ts';
import { diskProblem } from './disk-size.ts';

/** How the guest names the file system it makes, and how just before; docs/guest-contract.md. */
const labels = { ours: 'linuxkit-nix', unfinished: 'linuxkit-new' };
/** What the disk begins with while it is formatted. */
const mark = Buffer.from('linuxkit-builder formats this disk');
const GiB = 1024 ** 3;

/** ext4: the superblock starts at byte 1024; its magic is at 0x38 and its label at 0x78 (kernel, fs/ext4/ext4.h). */
const superblock = { at: 1024, magicAt: 0x38, labelAt: 0x78, labelLength: 16 };
/** Others have their marks further in: btrfs, reiserfs and UFS2 at 64 KiB, ZFS up to 256 KiB. */
const headBytes = 1024 * 1024;
/** As much as ours shows itself in. */
const oursBytes = 4096;

/**
 * What a disk's first MiB says: `blank`, or formatted only in part, will be formatted by the guest; `ours` is used; anything
 * else is left alone.
 */
export function judgeDisk(head: Buffer): 'blank' | 'ours' | 'foreign' {
  if (head.equals(Buffer.alloc(head.length))) return 'blank';
  const { at, magicAt, labelAt, labelLength } = superblock;
  if (head.length < at + labelAt + labelLength) return 'foreign';
  const isExt = head.readUInt16LE(at + magicAt) === 0xef53;
  const name = head
    .toString('latin1', at + labelAt, at + labelAt + labelLength)
    .replace(/\0.*$/s, '');
  if (isExt && name === labels.ours) return 'ours';
  const isUnfinished = (isExt && name === labels.unfinished) || head.indexOf(mark) === 0;
  return isUnfinished ? 'blank' : 'foreign';
}

/** Makes the disk when it is missing (sparse) and grows its file to diskGiB. Returns what it is. */
export function prepareDisk(path: string, diskGiB: number): 'blank' | 'ours' {
  const fd = openDisk(path);
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new Failed(unreadable(path, 'EISDIR', 'it is not a regular file'));
    const judgeFirst = (bytes: number) => judgeDisk(startOf(fd, Math.min(bytes, stat.size)));
    const verdict = judgeFirst(oursBytes) === 'ours' ? 'ours' : judgeFirst(headBytes);
    if (verdict === 'foreign') throw new Failed(notOurs(path));
    if (stat.size < diskGiB * GiB) grow(fd, path, diskGiB);
    return verdict;
  } finally {
    closeSync(fd);
  }
}

function grow(fd: number, path: string, diskGiB: number): void {
  try {
    ftruncateSync(fd, diskGiB * GiB);
  } catch (error) {
    const code = errorCode(error);
    const problem = code === 'EFBIG' ? diskProblem(path, diskGiB) : undefined;
    throw new Failed(problem ?? cannotWrite(path, error), { cause: error });
  }
}

function startOf(fd: number, bytes: number): Buffer {
  const head = Buffer.alloc(bytes);
  readSync(fd, head, 0, bytes, 0);
  return head;
}

function openDisk(path: string): number {
  try {
    return openSync(path, 'r+');
  } catch (error) {
    const code = errorCode(error);
    if (code === 'EROFS') throw new Failed(cannotWrite(path, error), { cause: error });
    if (code !== 'ENOENT')
      throw new Failed(
        unreadable(path, code, code === undefined ? String(error) : (reasons[code] ?? code)),
      );
  }
  return openSync(path, 'wx+', 0o600);
}

const notOurs = (path: string): Failure => ({
  kind: 'disk-not-ours',
  vmFault: 'none',
  message: `${path} contains something that linuxkit-builder did not create. It was left alone.`,
  hint: 'Move it away, or choose another state directory. If the disk is missing, a new one is created.',
  exit: Exit.dataError,
  recovery: 'give-up',
});

/** `code`: the system's; the hint goes by it. */
export const unreadable = (path: string, code: string | undefined, why: string): Failure => ({
  kind: 'disk-unreadable',
  vmFault: 'none',
  message: `Cannot open the disk ${path} for reading and writing: ${why}. It was left alone.`,
  hint: diskHint(path, code),
  exit: Exit.noPermission,
  recovery: 'give-up',
});

function diskHint(path: string, code: string | undefined): string {
  if (code === 'EISDIR') return 'Move it away; the next start creates a new disk.';
  return code === 'EACCES' || code === 'EPERM'
    ? 'Check its owner and mode: it must belong to the user who runs the daemon.'
    : whatHelps(code ?? '', path);
}
