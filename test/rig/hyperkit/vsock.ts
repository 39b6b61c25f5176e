/**
 * HyperKit's virtio-sock sockets. There is no vsock between this host and the guest: a relay inside the guest, which only the
 * rig puts there, dials the guest's real listeners by its loopback CID.
 */
import { existsSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Device } from './devices.ts';

type Sock = Extract<Device, { kind: 'sock' }>;

const hex8 = (number: number): string => number.toString(16).padStart(8, '0');

/** Makes `connect` and a socket a forward; undefined, or why it cannot. `portOf`: the relay's TCP port for a vsock port. */
export async function openVsock(
  { cid, directory, forwards }: Sock,
  portOf: (port: number) => Promise<number | undefined>,
  resetMs = shutdownRstDelayMs,
): Promise<string | undefined> {
  const guest = { portOf, resetMs };
  if (!existsSync(directory) || !statSync(directory).isDirectory())
    return `virtio-sock: bind: No such file or directory`;
  const made = await listen(join(directory, 'connect'), (client) => onConnect(client, cid, guest));
  if (made !== undefined) return made;
  for (const port of forwards) {
    const name = `${hex8(cid)}.${hex8(port)}`;
    const failed = await listen(join(directory, name), (client) => void lead(client, port, guest));
    if (failed !== undefined) return failed;
    rmSync(join(directory, `guest.${hex8(port)}`), { force: true });
    symlinkSync(name, join(directory, `guest.${hex8(port)}`));
  }
  return undefined;
}

/** HyperKit removes what is there first, and never removes what it made: so nothing here unlinks at the end. */
function listen(path: string, onClient: (client: Socket) => void): Promise<string | undefined> {
  rmSync(path, { force: true });
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, onClient);
  return new Promise((resolve) => {
    server.once('error', (error) => resolve(`virtio-sock: ${error.message}`));
    server.listen(path, () => resolve(undefined));
  });
}

/** Exactly 18 bytes, read in one go: `%08x.%08x\n`. Anything else, or another CID, is closed. No answer is given. */
function onConnect(client: Socket, cid: number, guest: Way): void {
  client.on('error', () => undefined);
  const endEarly = () => client.end();
  client.once('data', (first: Buffer) => {
    client.off('end', endEarly).pause();
    const match = /^([0-9a-f]{8})\.([0-9a-f]{8})\n$/.exec(first.toString('latin1', 0, 18));
    if (match === null || Number.parseInt(match[1] ?? '', 16) !== cid) return client.destroy();
    if (first.length > 18) client.unshift(first.subarray(18));
    void lead(client, Number.parseInt(match[2] ?? '', 16), guest);
  });
  client.once('end', endEarly);
  client.resume();
}

/** SHUTDOWN_RST_DELAY: a stream of which one half was ended is reset so much later. */
const shutdownRstDelayMs = 30_000;

interface Way {
  /** The relay's TCP port for a vsock port. */
  readonly portOf: (port: number) => Promise<number | undefined>;
  readonly resetMs: number;
}

async function lead(client: Socket, port: number, { portOf, resetMs }: Way): Promise<void> {
  const tcp = await portOf(port);
  if (tcp === undefined) return void client.destroy();
  const guest = connect({ host: '127.0.0.1', port: tcp, allowHalfOpen: true });
  client.on('error', () => guest.destroy()).once('close', () => guest.destroy());
  guest.on('error', () => client.destroy()).once('close', () => client.destroy());
  client.once('end', () => {
    setTimeout(() => {
      client.destroy();
      guest.destroy();
    }, resetMs).unref();
  });
  client.pipe(guest);
  guest.pipe(client);
}
