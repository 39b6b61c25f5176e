/** The stream of a QEMU's migration on a Unix socket, to a file and from one. */
import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import type { Clock } from '../../system/time/clock.ts';
import { discard, sizeIfThere } from '../../system/files/files.ts';
import { awaitUnix } from '../../system/socket/unix-socket.ts';

/** Fewer, larger writes: QEMU sends pages of 4 KiB. */
const chunkBytes = 1024 * 1024;

/** One way, once. */
export class MemoryStream {
  readonly #server: Server;
  readonly #socket: string;
  /** Resolves when all of it is in the file; rejects where that cannot be written. */
  readonly written: Promise<void>;

  private constructor(server: Server, socket: string, path: string) {
    this.#server = server;
    this.#socket = socket;
    this.written = once(server, 'connection').then(async (given) => {
      // One cast: what Node gives with this event.
      const [from] = given as [Socket];
      const to = createWriteStream(path, { mode: 0o600, highWaterMark: chunkBytes });
      await pipeline(from, to);
    });
    // Whoever saves looks at it when QEMU is done, or not at all.
    this.written.catch(() => undefined);
  }

  /** Takes the stream of whoever connects to the socket into a new file. */
  static async listen(socket: string, path: string): Promise<MemoryStream> {
    discard(socket);
    const server = createServer();
    server.listen(socket);
    await once(server, 'listening');
    return new MemoryStream(server, socket, path);
  }

  /** Feeds the file to whoever listens on the socket, or soon will. */
  static async feed(
    path: string,
    socket: string,
    { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
  ): Promise<void> {
    const to = await awaitUnix(socket, clock, signal);
    try {
      await pipeline(createReadStream(path, { highWaterMark: chunkBytes }), to, { signal });
    } catch (error) {
      signal.throwIfAborted();
      // QEMU hangs up as soon as it has the last byte, which the stream itself names.
      if (to.bytesWritten !== sizeIfThere(path)) throw error;
    }
  }

  get uri(): string {
    return `unix:${this.#socket}`;
  }

  /** Listens no more. */
  close(): void {
    this.#server.close();
    discard(this.#socket);
  }
}
