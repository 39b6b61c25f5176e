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
  let client: Socket | undefined;
  let agent: Socket | undefined;
  const server = createServer({ pauseOnConnect: true }, (next) => {
    client?.destroy();
    client = next;
    // A client that is gone leaves the seat; what comes for it after that is read and dropped: each begins with a sync of its own.
    next
      .on('error', () => undefined)
      .once('close', () => {
        if (client === next) client = undefined;
      });
    agent ??= seat();
    const taken = agent;
    next.on('data', (chunk) => taken.write(chunk));
    next.resume();
  });

  function seat(): Socket {
    const socket = connect({ path: vsock });
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => client?.write(chunk));
    // The agent hung up, or nobody listens in the guest yet: the next client dials anew.
    socket.once('close', () => {
      if (agent === socket) agent = undefined;
      client?.destroy();
    });
    return socket;
  }

  rmSync(path, { force: true });
  server.listen(path);
  await once(server, 'listening');
  server.on('error', () => undefined);
  return {
    close: () => {
      server.close();
      client?.destroy();
      agent?.destroy();
    },
  };
}
