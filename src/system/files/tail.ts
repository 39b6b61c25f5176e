/**
 * Following a file that another process appends to. It is polled, by content and with a cursor of our own: change
 * events come late, twice or never (a network file system, a busy host), so they may only wake us early.
 */
import { closeSync, fstatSync, ftruncateSync, openSync, readSync, type Stats } from 'node:fs';
import type { Clock } from '../time/clock.ts';
import { errorCode } from '../failure.ts';
import { statsIfThere } from '../stats.ts';

/** What is followed, how often it is looked at, and who gets its bytes. */
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

const defaultMaxBytes = 8 * 1024 * 1024;

/**
 * Follows one file, which may not be there yet, and may be emptied or replaced; then it is read from its start. One whose name is gone is
 * read on: its writer has it open as we have.
 */
export class Tail {
  readonly #options: TailOptions;
  #pollMs: number;
  #cursor = 0;
  /** The bytes before the cursor: where they differ, the file is another one that has already outgrown the last. */
  #before: Buffer = Buffer.alloc(0);
  /** The file that is read, whatever is under its name now. */
  #fd: number | undefined;
  #inode: number | undefined;
  #device: number | undefined;
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
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
    return Promise.resolve();
  }

  #schedule(): void {
    this.#cancel();
    this.#cancel = this.#options.clock.after(this.#pollMs, () => this.poke());
  }

  #read(): void {
    this.#reading = true;
    try {
      if (this.#isAsRead()) return;
      this.#open();
      if (this.#fd !== undefined) this.#readFrom(this.#fd);
    } catch (error) {
      // The system's refusals (EIO, EISDIR, EACCES) may pass: the next look will tell. Anything else is a bug.
      if (errorCode(error) === undefined) throw error;
    } finally {
      this.#reading = false;
    }
  }

  /** Whether all of it was read, and nothing has been put into its place: one look, for a file to which nobody writes. */
  #isAsRead(): boolean {
    if (this.#fd === undefined) return false;
    const { maxBytes = defaultMaxBytes } = this.#options;
    const stats = tryStat(this.#options.path);
    const isSame = stats?.ino === this.#inode && stats?.dev === this.#device;
    return isSame && stats?.size === this.#cursor && this.#cursor - this.#base < maxBytes;
  }

  /** What is under the name now, where that is another file than is read; of that one the rest is read first. */
  #open(): void {
    const found = tryOpen(this.#options.path);
    if (found === undefined) return;
    const held = this.#fd;
    const [there, here] = [found, held ?? found].map((fd) => fstatSync(fd));
    if (held !== undefined && there?.ino === here?.ino && there?.dev === here?.dev)
      return closeSync(found);
    this.#fd = found;
    if (held === undefined) return;
    try {
      this.#deliver(held, fstatSync(held).size);
    } finally {
      closeSync(held);
    }
  }

  #readFrom(fd: number): void {
    const { onTruncated, maxBytes = defaultMaxBytes } = this.#options;
    const { size, ino, dev } = fstatSync(fd);
    this.#device = dev;
    this.#findPlace(fd, size, ino);
    this.#deliver(fd, size);
    if (this.#cursor - this.#base < maxBytes || fstatSync(fd).size > this.#cursor) return;
    // What is written between the look above and this line is lost: microseconds, once in maxBytes.
    ftruncateSync(fd);
    onTruncated?.(this.#cursor - this.#base);
    this.#emptiedAt = this.#cursor;
    this.#beginAt(0);
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

/** Undefined where there is none, or none that we can look at. */
function tryStat(path: string): Stats | undefined {
  try {
    return statsIfThere(path);
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    return undefined;
  }
}

/** To be emptied, where we may. Not there, or not ours to read just now: the next look will tell. */
function tryOpen(path: string): number | undefined {
  for (const flags of ['r+', 'r'])
    try {
      return openSync(path, flags);
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return undefined;
    }
  return undefined;
}
