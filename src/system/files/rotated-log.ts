/** A log of ours as one text, whatever the number of files that it was rotated into: PATH is the newest, PATH.1 to PATH.N the older ones. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';
import { Failed } from '../failure.ts';
import { cannotRead, unread } from './barrier.ts';
import { notRegular } from './others-files.ts';
import { isNotThere } from '../stats.ts';

/** One of its files, held open: so its inode is nobody else's, and its last lines are read when it has another name. */
interface Part {
  readonly name: string;
  readonly fd: number;
  readonly inode: number;
}

/** Reads a log from its oldest line on, and on as it grows and is rotated. */
export class RotatedLog {
  readonly #path: string;
  readonly #keep: number;
  #part: Part | undefined;
  #cursor = 0;
  #decoder = new StringDecoder('utf8');
  #half = '';

  /** keep: how many older files there may be. */
  constructor(path: string, keep = 3) {
    this.#path = path;
    this.#keep = keep;
  }

  /** Whether there was any file so far. */
  get isThere(): boolean {
    return this.#part !== undefined;
  }

  /** The lines that have become complete since the last look, oldest first; at the first look all that are there. Failed `cannot-read`. */
  lines(): string[] {
    // Asked before the present file is read: what was rotated away gets no more lines.
    const newer = this.#newerParts();
    const lines = this.#rest();
    for (const part of newer) {
      lines.push(...this.end());
      this.#part = part;
      this.#cursor = 0;
      lines.push(...this.#rest());
    }
    return lines;
  }

  /** Closes it; the last line, if it has no end. */
  end(): string[] {
    const last = this.#half + this.#decoder.end();
    this.#half = '';
    close(this.#part);
    this.#part = undefined;
    return last === '' ? [] : [last];
  }

  /** What the present file has behind the cursor. */
  #rest(): string[] {
    if (this.#part === undefined) return [];
    const { fd } = this.#part;
    const { size } = fstatSync(fd);
    // Somebody emptied it.
    if (size < this.#cursor) this.#cursor = 0;
    // None of ours is so long; what somebody else has put there may be sparse, and larger than any memory.
    this.#cursor = Math.max(this.#cursor, size - mostBytes);
    const bytes = Buffer.allocUnsafe(size - this.#cursor);
    const length = readSync(fd, bytes, 0, bytes.length, this.#cursor);
    this.#cursor += length;
    const lines = (this.#half + this.#decoder.write(bytes.subarray(0, length))).split('\n');
    this.#half = lines.pop() ?? '';
    return lines;
  }

  /** The files that are newer than the present one, oldest first. */
  #newerParts(): Part[] {
    const parts: Part[] = [];
    for (const part of this.#files()) {
      const isKnown = part.inode === this.#part?.inode;
      // A file met twice was rotated between the two looks.
      if (isKnown || part.inode === parts.at(-1)?.inode) close(part);
      else parts.push(part);
      if (isKnown) return parts.reverse();
    }
    if (this.#part === undefined) return parts.reverse();
    // The present file was removed; only the one in its place is surely newer.
    const isNewer = ({ name }: Part) => name === this.#path;
    for (const part of parts) if (!isNewer(part)) close(part);
    return parts.filter(isNewer);
  }

  *#files(): Generator<Part> {
    for (let n = 0; n <= this.#keep; n++) {
      const part = openIfThere(n === 0 ? this.#path : `${this.#path}.${n}`);
      if (part !== undefined) yield part;
    }
  }
}

/** Of each file no more is read than this, of a line that is longer nothing. */
const endBytes = 1024 * 1024;

/** The last lines of a log, however large it has grown and however lately it was rotated; undefined where there is none. Failed `cannot-read`. */
export function lastLinesOf(path: string, count: number): readonly string[] | undefined {
  const newest = endOf(path);
  const older = endOf(`${path}.1`);
  if (older === undefined && newest === undefined) return undefined;
  // It was rotated meanwhile.
  const isSame = older?.inode === newest?.inode;
  return [...(isSame ? [] : (older?.lines ?? [])), ...(newest?.lines ?? [])].slice(-count);
}

function endOf(
  path: string,
): { readonly inode: number; readonly lines: readonly string[] } | undefined {
  const part = openIfThere(path);
  if (part === undefined) return undefined;
  try {
    const from = Math.max(0, fstatSync(part.fd).size - endBytes);
    const bytes = Buffer.alloc(endBytes);
    const length = readSync(part.fd, bytes, 0, endBytes, from);
    const text = bytes.toString('utf8', 0, length).trimEnd();
    const lines = text === '' ? [] : text.split('\n');
    // Of a line that is cut through nobody would know what is secret in it.
    return { inode: part.inode, lines: from === 0 ? lines : lines.slice(1) };
  } finally {
    close(part);
  }
}

/** At once; what is before that is left out. */
const mostBytes = 16 * 1024 * 1024;

/** Without waiting for the writer of what is no file (fifo(7)). */
function openIfThere(name: string): Part | undefined {
  let fd: number;
  try {
    fd = openSync(name, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (isNotThere(error)) return undefined;
    throw new Failed(cannotRead(name, error), { cause: error });
  }
  const stats = fstatSync(fd);
  if (stats.isFile()) return { name, fd, inode: stats.ino };
  closeSync(fd);
  throw new Failed(unread(name, stats.isDirectory() ? 'EISDIR' : notRegular));
}

function close(part: Part | undefined): void {
  if (part !== undefined) closeSync(part.fd);
}
