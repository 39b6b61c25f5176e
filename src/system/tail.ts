/**
 * Following a file that another process appends to. It is polled, by content and with a cursor of our own: change
 * events come late, twice or never (a network file system, a busy host), so they may only wake us early.
 */
import { closeSync, fstatSync, openSync, readSync, truncateSync } from 'node:fs';
import type { Clock } from './clock.ts';
import { errorCode } from './failure.ts';

export interface TailOptions {
  readonly path: string;
  readonly clock: Clock;
  /** How often the file is looked at; {@link Tail.pollEvery} changes it. */
  readonly pollMs: number;
  /** New bytes, in order; the buffer is the receiver's to keep. */
  readonly onBytes: (chunk: Buffer) => void;
  /** So many bytes came at once that these, the oldest, were skipped. */
  readonly onLost?: (bytes: number) => void;
  /** All was read and the file emptied, because it had grown to this many bytes. */
  readonly onTruncated?: (bytes: number) => void;
  /**
   * When it has grown to this and all is read, it is emptied. A writer that does not append (O_APPEND) but keeps its place leaves a hole
   * before what it writes next, which is skipped. Default 8 MiB.
   */
  readonly maxBytes?: number;
  /** What came between two looks is read up to this; older bytes are lost. Default 1 MiB. */
  readonly maxBacklogBytes?: number;
}

/** Follows one file, which may not be there yet, and may be emptied or replaced; then it is read from its start. */
export class Tail {
  readonly #options: TailOptions;
  #pollMs: number;
  #cursor = 0;
  /** The bytes before the cursor: where they differ, the file is another one that has already outgrown the last. */
  #before: Buffer = Buffer.alloc(0);
  #inode: number | undefined;
  /** Where we emptied it, until something was written again. */
  #emptiedAt: number | undefined;
  /** Where a hole ends: nothing stands before it. */
  #base = 0;
  #cancel: () => void = () => undefined;
  #reading = false;
  #stopped = false;

  constructor(options: TailOptions) {
    this.#options = options;
    this.#pollMs = options.pollMs;
    this.#schedule();
  }

  /** Looks now: somebody says that there is something. */
  poke(): void {
    if (this.#stopped || this.#reading) return;
    this.#read();
    this.#schedule();
  }

  /** Changes how often it looks, from now on. */
  pollEvery(ms: number): void {
    this.#pollMs = ms;
    if (!this.#stopped) this.#schedule();
  }

  /** Nothing more is written: one last look. */
  readToEnd(): void {
    this.poke();
  }

  /** One last look, then no more. */
  stop(): Promise<void> {
    this.poke();
    this.#stopped = true;
    this.#cancel();
    return Promise.resolve();
  }

  #schedule(): void {
    this.#cancel();
    this.#cancel = this.#options.clock.after(this.#pollMs, () => this.poke());
  }

  #read(): void {
    const { path, onTruncated, maxBytes = 8 * 1024 * 1024 } = this.#options;
    const fd = tryOpen(path);
    if (fd === undefined) return;
    this.#reading = true;
    try {
      const { size, ino } = fstatSync(fd);
      this.#findPlace(fd, size, ino);
      this.#deliver(fd, size);
      if (this.#cursor - this.#base < maxBytes || fstatSync(fd).size > this.#cursor) return;
      // What is written between the look above and this line is lost: microseconds, once in maxBytes.
      truncateSync(path);
      onTruncated?.(this.#cursor - this.#base);
      this.#emptiedAt = this.#cursor;
      this.#beginAt(0);
    } catch (error) {
      // The system's refusals (EIO, EISDIR, EACCES) may pass: the next look will tell. Anything else is a bug.
      if (errorCode(error) === undefined) throw error;
    } finally {
      this.#reading = false;
      closeSync(fd);
    }
  }

  /** Puts the cursor where the unread begins. */
  #findPlace(fd: number, size: number, inode: number): void {
    const { onLost, maxBacklogBytes = 1024 * 1024 } = this.#options;
    const same = (this.#inode ?? inode) === inode;
    this.#inode = inode;
    if (!same) this.#emptiedAt = undefined;
    this.#skipHole(fd, size);
    if (!same || size < this.#cursor || (size > this.#cursor && !this.#continues(fd)))
      this.#beginAt(0);
    const skipped = size - this.#cursor - maxBacklogBytes;
    if (skipped <= 0) return;
    this.#moveTo(this.#cursor + skipped);
    onLost?.(skipped);
  }

  /** Whoever wrote behind our emptying has either begun anew or gone on where it was. */
  #skipHole(fd: number, size: number): void {
    const at = this.#emptiedAt;
    if (at === undefined || size === 0) return;
    this.#emptiedAt = undefined;
    if (size > at && readAt(fd, 0, Math.min(at, 4096)).every((byte) => byte === 0))
      this.#beginAt(at);
  }

  #beginAt(place: number): void {
    this.#base = place;
    this.#moveTo(place);
  }

  #continues(fd: number): boolean {
    const length = this.#before.length;
    return readAt(fd, this.#cursor - length, length).equals(this.#before);
  }

  #deliver(fd: number, size: number): void {
    while (this.#cursor < size) {
      const chunk = readAt(fd, this.#cursor, Math.min(65_536, size - this.#cursor));
      if (chunk.length === 0) return;
      this.#cursor += chunk.length;
      this.#before = Buffer.from(chunk.subarray(-32));
      this.#options.onBytes(chunk);
    }
  }

  #moveTo(cursor: number): void {
    this.#cursor = cursor;
    this.#before = Buffer.alloc(0);
  }
}

function readAt(fd: number, position: number, length: number): Buffer {
  const buffer = Buffer.allocUnsafe(length);
  return buffer.subarray(0, readSync(fd, buffer, 0, length, position));
}

/** Not there, or not ours to read just now: the next look will tell. */
function tryOpen(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch {
    return undefined;
  }
}

/** Where a line was cut because it was too long. */
export const cutMark = ' [cut]';

/**
 * Bytes -> lines of text. A line ends with \n, \r\n or a lone \r, where a terminal begins the line again. NULs are
 * dropped, what is not UTF-8 becomes U+FFFD, a long line is cut at maxLineBytes and its rest dropped.
 */
export class LineSplitter {
  readonly #maxLineBytes: number;
  #line: Buffer[] = [];
  #lineBytes = 0;
  #cut = false;
  #afterReturn = false;

  constructor(maxLineBytes = 4096) {
    this.#maxLineBytes = maxLineBytes;
  }

  /** The lines that these bytes complete; a cut line is complete as soon as it is too long. */
  push(chunk: Uint8Array): string[] {
    const lines: string[] = [];
    let from = 0;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at];
      if (byte !== newline && byte !== carriageReturn && byte !== 0) continue;
      this.#keep(chunk.subarray(from, at), lines);
      from = at + 1;
      if (byte === 0) continue;
      // The \n of \r\n, and a \r at the start of a line, end nothing.
      const ended = byte === newline ? !this.#afterReturn : this.#lineBytes > 0;
      this.#afterReturn = byte === carriageReturn && (ended || this.#afterReturn);
      if (ended) lines.push(...this.end(true));
    }
    this.#keep(chunk.subarray(from), lines);
    return lines;
  }

  /** The last line, if it is without end (or in any case, when asked for an empty one too). */
  end(evenEmpty = false): string[] {
    const text = Buffer.concat(this.#line).toString('utf8');
    const cut = this.#cut;
    this.#line = [];
    this.#lineBytes = 0;
    this.#cut = false;
    return cut || (text === '' && !evenEmpty) ? [] : [text];
  }

  #keep(part: Uint8Array, lines: string[]): void {
    if (part.length === 0) return;
    this.#afterReturn = false;
    const room = this.#maxLineBytes - this.#lineBytes;
    this.#lineBytes += part.length;
    if (this.#cut) return;
    this.#line.push(Buffer.from(part.subarray(0, room)));
    if (part.length <= room) return;
    lines.push(Buffer.concat(this.#line).toString('utf8') + cutMark);
    this.#line = [];
    this.#cut = true;
  }
}

const newline = 0x0a;
const carriageReturn = 0x0d;
