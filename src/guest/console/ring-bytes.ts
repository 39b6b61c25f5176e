/** A ring as bytes: reading it whole, and what has changed between two readings. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { errorCode } from '../../system/failure.ts';
import { statsIfThere } from '../../system/stats.ts';

/** HyperKit's ring has this size, always (src/lib/uart_emul.c). */
export const ringBytes = 65_536;

/** A ring's file, kept open: it is looked at twenty times a second. */
export class RingReader {
  readonly #path: string;
  readonly #window = Buffer.alloc(windowBytes);
  #fd: number | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * The whole ring, in `into` where that is given; undefined where there is none to be read just now. A file that is only being made
   * is a ring whose rest is still zero.
   */
  whole(into: Buffer = Buffer.allocUnsafe(ringBytes)): Buffer | undefined {
    try {
      this.#reopenIfReplaced();
      const fd = (this.#fd ??= openRing(this.#path));
      if (fd === undefined) return undefined;
      into.fill(0, readSync(fd, into, 0, ringBytes, 0));
      return into;
    } catch (error) {
      // Not there yet, or not to be read just now: the next look will tell.
      if (errorCode(error) === undefined) throw error;
      this.close();
      return undefined;
    }
  }

  /**
   * Whether the ring has a place's next {@link windowBytes} as before. A writer that goes on there changes them, unless it writes what
   * is there already.
   */
  isAsBefore(before: Buffer, place: number): boolean {
    if (this.#fd === undefined) return false;
    const length = Math.min(windowBytes, ringBytes - place);
    try {
      const count = readSync(this.#fd, this.#window, 0, length, place);
      return (
        count === length && before.compare(this.#window, 0, length, place, place + length) === 0
      );
    } catch (error) {
      if (errorCode(error) === undefined) throw error;
      return false;
    }
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  /** One that was deleted is read on as long as its name leads to no other. */
  #reopenIfReplaced(): void {
    if (this.#fd === undefined || fstatSync(this.#fd).nlink > 0) return;
    if (statsIfThere(this.#path) !== undefined) this.close();
  }
}

/** Unlike bytes are found in so many: two lines of a console are no more alike than that. */
const windowBytes = 4_096;

function openRing(path: string): number | undefined {
  // Without waiting for a writer, should it be a fifo.
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  if (fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  return undefined;
}

/** Where the zeros begin that nothing follows. */
export function endOfText(ring: Buffer): number {
  let end = ring.length;
  while (end > 0 && ring[end - 1] === 0) end--;
  return end;
}

/** How far behind the cursor the last changed byte is; -1 when none is. */
export function lastChange(before: Buffer, now: Buffer, cursor: number): number {
  for (let distance = ringBytes - 1; distance >= 0; distance--) {
    const at = (cursor + distance) % ringBytes;
    if (before[at] !== now[at]) return distance;
  }
  return -1;
}

/** How far behind the cursor the first changed byte is; -1 when none is. */
function firstChange(before: Buffer, now: Buffer, cursor: number): number {
  for (let distance = 0; distance < ringBytes; distance++) {
    const at = (cursor + distance) % ringBytes;
    if (before[at] !== now[at]) return distance;
  }
  return -1;
}

/** The shortest stretch of the ring that holds every change: what is outside is the longest run without one. */
export function changedStretch(before: Buffer, now: Buffer): { start: number; count: number } {
  const changes: number[] = [];
  for (let at = 0; at < ringBytes; at++) if (before[at] !== now[at]) changes.push(at);
  const first = changes[0] ?? 0;
  let best = { gap: -1, start: first };
  for (const [n, at] of changes.entries()) {
    const next = changes[n + 1] ?? first + ringBytes;
    if (next - at > best.gap) best = { gap: next - at, start: next % ringBytes };
  }
  return { start: best.start, count: ringBytes - best.gap + 1 };
}

/** Bytes of the ring from a place on, round its end. */
export function slice(ring: Buffer, from: number, count: number): Buffer {
  const start = from % ringBytes;
  return start + count <= ringBytes
    ? ring.subarray(start, start + count)
    : Buffer.concat([ring.subarray(start), ring.subarray(0, start + count - ringBytes)]);
}

/** Writes bytes into the ring from a place on, round its end. */
export function put(ring: Buffer, at: number, bytes: Buffer): void {
  const room = Math.min(bytes.length, ringBytes - at);
  bytes.copy(ring, at, 0, room);
  bytes.copy(ring, 0, room);
}

/** The bytes read last are the last that the writer comes to overwrite: where these changed, it has lapped us. */
export const guardBytes = 64;

/** Whether what was read last is still there. */
export function isGuarded(before: Buffer, now: Buffer, cursor: number): boolean {
  const guard = cursor + ringBytes - guardBytes;
  return slice(now, guard, guardBytes).equals(slice(before, guard, guardBytes));
}

/**
 * Where the writer was instead, if it cannot have been at the cursor: more came than a ring holds, of one byte, so that it did not
 * show, and since then the cursor was wrong. Then there is a gap before the first change that nobody would write twice, or the
 * change goes round the cursor, and most of the ring is as it was.
 */
export function whereInstead(
  before: Buffer,
  now: Buffer,
  cursor: number,
  isOvertaken: boolean,
): number | undefined {
  const gap = firstChange(before, now, cursor);
  const isGap = gap > guardBytes && !isPeriodic(slice(before, cursor, gap));
  if (!isGap && !isOvertaken) return undefined;
  const { start, count } = changedStretch(before, now);
  return count <= ringBytes / 2 && start !== cursor ? start : undefined;
}

/** Whether bytes repeat each other: one of them, or a line that is as long as a power of two, again and again. */
function isPeriodic(bytes: Buffer): boolean {
  for (let period = 1; period <= longestPeriod; period *= 2)
    if (bytes.length > period && bytes.subarray(period).equals(bytes.subarray(0, -period)))
      return true;
  return false;
}

/** Only lines of such lengths come to stand where they stood before, a round later. */
const longestPeriod = 1_024;

/** The line end that stands at a place already, behind a line that is begun; empty where there is none. */
export function lineEndAt(ring: Buffer, place: number): Buffer {
  const next = slice(ring, place, 2);
  const length =
    next[0] === lineFeed ? 1 : next[0] === carriageReturn && next[1] === lineFeed ? 2 : 0;
  const last = slice(ring, place + ringBytes - 1, 1)[0];
  return next.subarray(0, last === lineFeed || last === 0 ? 0 : length);
}

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
