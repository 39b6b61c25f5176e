/** The stream of a QEMU's migration on a Unix socket, to a file and from one. */
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { Failed } from '../../system/failure.ts';
import { discard } from '../../system/files/files.ts';
import { refusal } from '../../system/files/reasons.ts';
import { succeeded, type CommandResult } from '../../system/process/child.ts';
import { copyAll } from '../../system/process/copy.ts';
import { endWords } from '../../system/process/end-words.ts';
import { awaitUnix } from '../../system/socket/unix-socket.ts';
import type { Clock } from '../../system/time/clock.ts';
import { notFed, notSaved } from './memory-failures.ts';

/** One way, once. */
export class MemoryStream {
  readonly #server: Server;
  readonly #socket: string;
  readonly #closing = new AbortController();
  /** Resolves when all of it is in the file; rejects where that cannot be written. */
  readonly written: Promise<void>;

  private constructor(server: Server, socket: string, path: string) {
    this.#server = server;
    this.#socket = socket;
    this.written = once(server, 'connection').then((given) =>
      // One cast: what Node gives with this event.
      take(given[0] as Socket, path, this.#closing.signal),
    );
    // Whoever saves looks at it when QEMU is done, or not at all.
    this.written.catch(() => undefined);
  }

  /** Takes the stream of whoever connects to the socket into a new file. */
  static async listen(socket: string, path: string): Promise<MemoryStream> {
    discard(socket);
    // Nothing is read here: the connection is another process's.
    const server = createServer({ pauseOnConnect: true });
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
    const from = openSaved(path);
    try {
      const to = await awaitUnix(socket, clock, signal);
      const ran = await copyAll(from, to, signal);
      signal.throwIfAborted();
      if (!succeeded(ran)) throw new Failed(notFed(wordsOf(ran)));
    } finally {
      closeSync(from);
    }
  }

  get uri(): string {
    return `unix:${this.#socket}`;
  }

  /** Listens no more, and writes no more. */
  close(): void {
    this.#closing.abort();
    this.#server.close();
    discard(this.#socket);
  }
}

/** Into a file that was not there: what a killed daemon's guest still writes goes to the one that it has open. */
async function take(from: Socket, path: string, signal: AbortSignal): Promise<void> {
  const to = openNew(from, path);
  const ran = await copyAll(from, to, signal).finally(() => closeSync(to));
  if (!succeeded(ran)) throw new Failed(notSaved(wordsOf(ran)));
}

const wordsOf = (ran: CommandResult): string =>
  ran.stderr.trim() === '' ? `cat ${endWords(ran.ended)}` : ran.stderr.trim();

function openSaved(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    throw new Failed(notFed(refusal(error)), { cause: error });
  }
}

function openNew(from: Socket, path: string): number {
  try {
    discard(path);
    return openSync(path, 'wx', 0o600);
  } catch (error) {
    // Nobody will read it, and QEMU would wait for that.
    from.destroy();
    throw new Failed(notSaved(refusal(error)), { cause: error });
  }
}
