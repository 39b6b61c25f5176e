/** The daemon's log as it grows, looked at each millisecond: a step of a suspend may last for no more than a few. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { LogLine } from '../real/rig.ts';

export class WatchedLog {
  readonly #path: string;
  #cursor = 0;
  #ino = 0;
  #rest = '';
  /** All lines since the watch began, also those that the file has no longer. */
  readonly lines: LogLine[] = [];

  constructor(path: string) {
    this.#path = path;
  }

  /** Takes in what was written since. */
  read(): void {
    let fd: number;
    try {
      fd = openSync(this.#path, 'r');
    } catch {
      // Nothing was written yet, or it is being rotated.
      return;
    }
    try {
      const { size, ino } = fstatSync(fd);
      if (ino !== this.#ino || size < this.#cursor) [this.#ino, this.#cursor] = [ino, 0];
      const bytes = Buffer.alloc(size - this.#cursor);
      this.#cursor += readSync(fd, bytes, 0, bytes.length, this.#cursor);
      const parts = (this.#rest + bytes.toString('utf8')).split('\n');
      this.#rest = parts.pop() ?? '';
      this.lines.push(...parts.map((line) => JSON.parse(line) as LogLine));
    } finally {
      closeSync(fd);
    }
  }

  /** How many lines there are now. */
  get length(): number {
    this.read();
    return this.lines.length;
  }

  /** The first line from `from` on that is wanted, as soon as it is there. Throws, naming `what`, after so many ms. */
  async until(
    what: string,
    isWanted: (line: LogLine) => boolean,
    from: number,
    timeoutMs = 150_000,
  ): Promise<LogLine> {
    const end = performance.now() + timeoutMs;
    for (let next = from; ;) {
      this.read();
      for (; next < this.lines.length; next++) {
        const line = this.lines[next];
        if (line !== undefined && isWanted(line)) return line;
      }
      if (performance.now() > end)
        throw new Error(`this did not come within ${timeoutMs / 1000} s: ${what}`);
      await pause(1);
    }
  }
}
