// A port that leads to the guest's sshd past our door, for whoever measures what the door costs.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** Carries bytes between a port and a socket, in a process of its own: the bench waits for each program that it runs. */
const relay = `
  const { connect, createServer } = require('node:net');
  const { pipeline } = require('node:stream');
  const done = () => {};
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const guest = connect({ path: process.argv[1], allowHalfOpen: true });
    pipeline(client, guest, done);
    pipeline(guest, client, done);
  });
  server.listen(0, '127.0.0.1', () => console.log(server.address().port));
`;

/** One for a run. */
export class PastDoor {
  #relay: { readonly process: ChildProcess; readonly port: number } | undefined;

  /** Whether the program opened no port, so that what goes past the door goes through a relay. */
  get isRelayed(): boolean {
    return this.#relay !== undefined;
  }

  /** `tunnelPort`: the VM program's own, where it has one; else it leads to `socket`. */
  async port(tunnelPort: number | undefined, socket: string): Promise<number> {
    if (tunnelPort !== undefined) return tunnelPort;
    this.#relay ??= await launch(socket);
    return this.#relay.port;
  }

  end(): void {
    this.#relay?.process.kill();
  }
}

async function launch(socket: string) {
  const child = spawn(process.execPath, ['-e', relay, socket], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  return { process: child, port: Number(said.toString()) };
}
