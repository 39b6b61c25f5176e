/**
 * HyperKit's `log=`: 64 KiB that are written round and round, with no mark of where. As a mapping leaves them: its size and its
 * times tell nothing. (Only a real mapping raises no event either: test/guest/ring.test.ts has one.)
 */
import { closeSync, ftruncateSync, futimesSync, openSync, writeSync } from 'node:fs';

const size = 65_536;

export class RingFile {
  readonly #fd: number;
  readonly #begun: Date;
  #at = 0;

  constructor(path: string, flags: 'w+' | 'r+' = 'w+') {
    this.#fd = openSync(path, flags, 0o644);
    ftruncateSync(this.#fd, size);
    this.#begun = new Date();
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
    futimesSync(this.#fd, this.#begun, this.#begun);
  }

  close(): void {
    closeSync(this.#fd);
  }
}
