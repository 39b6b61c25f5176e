/** HyperKit's `log=`: 64 KiB that are written round and round, with no mark of where; as a mapping leaves them. */
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';

const size = 65_536;

export class RingFile {
  readonly #fd: number;
  #at = 0;

  constructor(path: string) {
    this.#fd = openSync(path, 'w+', 0o644);
    ftruncateSync(this.#fd, size);
  }

  write(bytes: Uint8Array): void {
    for (let from = 0; from < bytes.length;) {
      const count = Math.min(bytes.length - from, size - this.#at);
      writeSync(this.#fd, bytes, from, count, this.#at);
      from += count;
      this.#at = (this.#at + count) % size;
    }
  }

  close(): void {
    closeSync(this.#fd);
  }
}
