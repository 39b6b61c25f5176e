/** A ring as bytes: reading it whole, and what has changed between two readings. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { errorCode } from './failure.ts';

export const ringBytes = 65_536;

/** The whole ring; a file that is only being made is a ring whose rest is still zero. */
export function readRing(path: string): Buffer | undefined {
  try {
    const fd = openSync(path, 'r');
    try {
      if (!fstatSync(fd).isFile()) return undefined;
      const buffer = Buffer.alloc(ringBytes);
      readSync(fd, buffer, 0, ringBytes, 0);
      return buffer;
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    // Not there yet, or not to be read just now: the next look will tell.
    if (errorCode(error) === undefined) throw error;
    return undefined;
  }
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
