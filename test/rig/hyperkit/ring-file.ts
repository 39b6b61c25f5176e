/** HyperKit's `log=`: 64 KiB that are written round and round, with no mark of where; as a mapping leaves them. */
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';

const size = 65_536;

export class RingFile {
  readonly #fd: number;
  #at = 0;

  constructor(path: string, flags: 'w+' | 'r+' = 'w+') {
    this.#fd = openSync(path, flags, 0o644);
    ftruncateSync(this.#fd, size);
  }

  /** The same writer still, that has written so many bytes. */
  static goOn(path: string, written: number): RingFile {
    const ring = new RingFile(path, 'r+');
    ring.#at = written % size;
    return ring;
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
