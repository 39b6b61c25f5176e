/**
 * vfkit's vsock sockets. There is no vsock between this host and the guest: a relay inside the guest, which only the rig puts there,
 * dials the guest's real listeners by its loopback CID. How far a close is passed on is vfkit's own.
 */
import { rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Device } from './devices.ts';
import { connectPath } from './sockets.ts';
import { isSince, type Version } from './version.ts';

type Vsock = Extract<Device, { kind: 'vsock' }>;

export interface Way {
  readonly version: Version;
  /** This host's port that leads to a vsock port; undefined while nothing listens there. */
  readonly portOf: (port: number) => Promise<number | undefined>;
  readonly warn: (text: string) => void;
  /** The proxy's own line on stderr. */
  readonly say: (text: string) => void;
}

/** A socket of ours; undefined where it could not be made, which is a warning. */
export async function openVsock(
  device: Vsock,
  way: Way,
): Promise<{ readonly path: string; close(): void } | undefined> {
  // The guest dials none in these tests.
  if (device.direction === 'listen' || device.socketUrl === '') return undefined;
  const warn = (why: string) => {
    way.warn(`error exposing vsock port ${device.port}: ${why}`);
    return undefined;
  };
  const made = connectPath(device.socketUrl);
  if (typeof made === 'string') return warn(made);
  const { path } = made;
  const server = createServer(
    { allowHalfOpen: true },
    (client) => void lead(client, device.port, way),
  );
  const failed = await listen(server, path);
  if (failed !== undefined) return warn(`listen unix ${path}: bind: ${failed}`);
  return {
    path,
    close: () => {
      server.close();
      rmSync(path, { force: true });
    },
  };
}

/** A stale file is not removed before. */
const listen = (server: Server, path: string): Promise<string | undefined> =>
  new Promise((resolve) => {
    server.once('error', ({ code, message }: NodeJS.ErrnoException) =>
      resolve(code === 'EADDRINUSE' ? 'address already in use' : message),
    );
    server.listen(path, () => resolve(undefined));
  });

async function lead(client: Socket, port: number, way: Way): Promise<void> {
  client.on('error', () => undefined);
  const tcp = await way.portOf(port);
  if (tcp === undefined) {
    way.say(
      `tcpproxy: for incoming conn @, error dialing "vsock:${port}": connection reset by peer`,
    );
    return void client.destroy();
  }
  const guest = connect({ host: '127.0.0.1', port: tcp, allowHalfOpen: true });
  guest.on('error', () => undefined);
  client.on('error', ({ code }: NodeJS.ErrnoException) => {
    if (code === 'EPIPE') guest.destroy();
  });
  // The host's close is kept from the guest until that writes, or closes itself.
  guest.on('data', (chunk: Buffer) => {
    if (client.writable && !client.destroyed) {
      if (!client.write(chunk)) guest.pause();
    } else guest.destroy();
  });
  client.on('drain', () => guest.resume());
  client.on('close', () => guest.resume());
  client.on('data', (chunk: Buffer) => {
    if (!guest.write(chunk)) client.pause();
  });
  guest.on('drain', () => client.resume());
  guest.once('close', () => onGuestClose());
  guest.once('end', () => onGuestClose());
  // Up to 0.6.1 neither side's close reaches the other.
  const onGuestClose = () => {
    guest.destroy();
    if (isSince(way.version, '0.6.2')) client.destroy();
  };
}
