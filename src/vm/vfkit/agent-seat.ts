/**
 * The one connection to the guest's agent, kept for the VM's life: vfkit's vsock proxy does not tell the guest that the host has hung up
 * (pkg/vf/vsock.go), and the agent serves one client at a time, so whoever comes second would be served never.
 */
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';

/** A socket on which one client at a time speaks to the agent. */
export interface AgentSeat {
  close(): void;
}

/** Listens at `path`; whoever connects there has the seat until the next one does, and speaks to the agent behind `vsock`. */
export async function keepAgent({
  path,
  vsock,
}: {
  readonly path: string;
  readonly vsock: string;
}): Promise<AgentSeat> {
  const seat = new Seat(vsock);
  const server = createServer({ pauseOnConnect: true }, (next) => seat.give(next));
  rmSync(path, { force: true });
  server.listen(path);
  await once(server, 'listening');
  server.on('error', () => undefined);
  return {
    close: () => {
      server.close();
      seat.close();
    },
  };
}

/** One client and the one connection to the agent, which outlives it. */
class Seat {
  readonly #vsock: string;
  #client: Socket | undefined;
  #agent: Socket | undefined;

  constructor(vsock: string) {
    this.#vsock = vsock;
  }

  /** The one before has to go. */
  give(next: Socket): void {
    this.#client?.destroy();
    this.#client = next;
    // A client that is gone leaves the seat; what comes for it after that is read and dropped: each begins with a sync of its own.
    next
      .on('error', () => undefined)
      .once('close', () => {
        if (this.#client === next) this.#client = undefined;
      });
    const agent = (this.#agent ??= this.#dial());
    next.on('data', (chunk) => agent.write(chunk));
    next.resume();
  }

  #dial(): Socket {
    const socket = connect({ path: this.#vsock });
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => this.#client?.write(chunk));
    // The agent hung up, or nobody listens in the guest yet: the next client dials anew.
    socket.once('close', () => {
      if (this.#agent === socket) this.#agent = undefined;
      this.#client?.destroy();
    });
    return socket;
  }

  close(): void {
    this.#client?.destroy();
    this.#agent?.destroy();
  }
}
