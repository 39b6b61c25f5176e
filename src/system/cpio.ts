/**
 * Writes cpio archives in the "newc" form, the one that Linux unpacks as its initrd
 * (Documentation/driver-api/early-userspace/buffer-format.rst). Everything belongs to root; nothing depends on the
 * machine or the time, so the same entries give the same bytes.
 */

/** One thing in an archive. Its folders need entries of their own before it: the kernel drops orphans silently. */
export interface CpioEntry {
  /** Relative, without leading slash: `seed/settings`. */
  readonly path: string;
  /** Type and permissions as in stat(2): {@link S_IFREG} | 0o600. */
  readonly mode: number;
  /** A file's content, or a symbolic link's target. */
  readonly data?: Uint8Array;
  /** Seconds since 1970; default 0. */
  readonly mtime?: number;
}

/** Type bits of a mode. */
export const S_IFDIR = 0o040000;
/** A regular file, in the mode of an entry. */
export const S_IFREG = 0o100000;
/** A symbolic link, in the mode of an entry. */
export const S_IFLNK = 0o120000;

/** A whole archive with its trailer, padded to a multiple of 512 bytes. */
export function cpioArchive(entries: readonly CpioEntry[]): Uint8Array {
  const parts: Uint8Array[] = [];
  let length = 0;
  const push = (part: Uint8Array, multiple: number) => {
    const padding = paddingTo(length + part.length, multiple);
    parts.push(part, new Uint8Array(padding));
    length += part.length + padding;
  };
  entries.forEach((entry, index) => {
    push(header(entry, index + 1), 4);
    if (entry.data !== undefined) push(entry.data, 4);
  });
  push(header({ path: trailer, mode: 0 }, 0), 512);
  return Buffer.concat(parts, length);
}

/** Where the content of an archive's first entry begins. */
export const dataStart = (entry: CpioEntry): number => {
  const { length } = header(entry, 1);
  return length + paddingTo(length, 4);
};

/** Zero bytes needed after `length` to reach the next multiple. */
export const paddingTo = (length: number, multiple: number): number =>
  (multiple - (length % multiple)) % multiple;

const trailer = 'TRAILER!!!';

function header({ path, mode, data, mtime = 0 }: CpioEntry, inode: number): Buffer {
  const name = Buffer.from(`${path}\0`);
  const size = data?.length ?? 0;
  if (path === '' || path.startsWith('/') || name.indexOf(0) !== name.length - 1)
    throw new Error(`not a name for an archive: ${JSON.stringify(path)}`);
  if (size > 0xffff_ffff) throw new Error(`${path} is too large for a cpio archive`);
  // inode, mode, uid, gid, links, mtime, size, device (2), special device (2), name length, checksum
  const fields = [inode, mode, 0, 0, 1, mtime, size, 0, 0, 0, 0, name.length, 0];
  const text = fields.map((field) => field.toString(16).padStart(8, '0')).join('');
  return Buffer.concat([Buffer.from(`070701${text}`), name]);
}
