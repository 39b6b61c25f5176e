/** Whether connections of this machine to itself come through: in a network namespace of its own the interface for it begins as down. */
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { errorCode, Exit, type Failure } from '../failure.ts';
import { connected } from '../socket/connected.ts';
import { advice, ours } from '../advice.ts';

export const loopback = '127.0.0.1';

/** A connection takes a moment where it works; a machine that is busy takes longer, and a firewall lets it wait for ever. */
const timeoutMs = 5_000;

/** What a connection to oneself is refused with where no interface leads there (connect(2)). */
const noWay: ReadonlySet<string | undefined> = new Set(['ENETUNREACH', 'EHOSTUNREACH', 'ENETDOWN']);

/**
 * Tries it, with a listener of its own: `loopback-down`, or `loopback-silent` where a connection is neither made nor refused, which a machine
 * that stands still says too. Undefined where it works, or where that cannot be told.
 */
export async function loopbackFault(): Promise<Failure | undefined> {
  const server = createServer((socket) => socket.destroy());
  try {
    server.listen(0, loopback);
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const code = await errorOf(port);
    if (code === 'ETIMEDOUT') return loopbackSilent;
    return noWay.has(code) ? loopbackDown() : undefined;
  } catch {
    // It cannot be listened there: whoever has to says so in its own words.
    return undefined;
  } finally {
    server.close();
  }
}

/** Of a connection to that port; undefined where it is made. */
const errorOf = (port: number): Promise<string | undefined> =>
  connected({ host: loopback, port, timeout: timeoutMs }).then(
    (socket) => void socket.destroy(),
    errorCode,
  );

/** Pure. */
export function loopbackDown(platform: NodeJS.Platform = process.platform): Failure {
  const [name, up] =
    platform === 'darwin'
      ? ['lo0', 'sudo ifconfig lo0 up']
      : ['lo', 'sudo ip link set lo up; or give the container a network'];
  return {
    kind: 'loopback-down',
    message: `Cannot connect to ${loopback}: the loopback interface (${name}) is down, so neither Nix nor the daemon can reach the guest.`,
    hint: advice`Bring it up: ${up}. Then: ${ours('restart')}`,
    exit: Exit.unavailable,
    recovery: 'wait',
  };
}

export const loopbackSilent: Failure = {
  kind: 'loopback-silent',
  message: `A connection of this machine to itself (${loopback}) gets no answer. A firewall probably drops it, so neither Nix nor the daemon can reach the guest.`,
  hint: advice`Allow connections on the loopback interface in the firewall. Then: ${ours('restart')}`,
  exit: Exit.unavailable,
  recovery: 'wait',
};
