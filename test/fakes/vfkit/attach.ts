/** Steps 11 and 12: devices are made in the order of the words, then the framework looks at the whole. */
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { openSync, statSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { dirname } from 'node:path';
import { isatty } from 'node:tty';
import type { Machine } from './command-line.ts';
import { longestSocket, type Device } from './devices.ts';
import { refuse, vzError, type Refusal } from './refusal.ts';
import type { Switches } from './switches.ts';
import { Launcher } from './vm.ts';

/** What the devices have come to hold. */
export interface Attached {
  readonly launcher: Launcher;
  /** There is a peer that hears the card. */
  readonly isConnected: boolean;
  /** The card's own name in the file system, beside its peer. */
  readonly own: string | undefined;
  /** Images for reading and writing. */
  readonly images: readonly { readonly path: string; readonly fd: number }[];
}

type Net = Extract<Device, { kind: 'net' }>;
type Card = Pick<Attached, 'launcher' | 'isConnected' | 'own'>;

/** Made in the order of the words: the network's peer is taken, and a log emptied, also where a later device fails. */
export async function attach(
  machine: Machine,
  switches: Switches,
): Promise<(Attached & { readonly refusal?: undefined }) | { readonly refusal: Refusal }> {
  const images = machine.devices.flatMap((device) =>
    device.kind === 'disk' && !device.readOnly ? openImage(device.path) : [],
  );
  const locks = images.map(({ fd }) => fd);
  let card: Card | undefined;
  for (const device of machine.devices) {
    if (device.kind === 'net' && device.socket !== undefined) {
      const made = await connectCard({ ...device, socket: device.socket }, locks, switches);
      if ('kind' in made) return { refusal: made };
      card = made;
    }
    const refusal = makeDevice(device);
    if (refusal !== undefined) return { refusal };
  }
  card ??= { launcher: new Launcher(undefined, locks), isConnected: false, own: undefined };
  return { ...card, images };
}

function openImage(path: string): { readonly path: string; readonly fd: number }[] {
  try {
    return [{ path, fd: openSync(path, 'r+') }];
  } catch {
    return [];
  }
}

const errnoWords: Readonly<Record<number, string>> = {
  2: 'no such file or directory',
  13: 'permission denied',
  22: 'invalid argument',
  91: 'protocol wrong type for socket',
  98: 'address already in use',
  111: 'connection refused',
};
const connectionRefused = 111;

/** Once, without a second try. Its own name is left behind where that fails. */
async function connectCard(
  { socket: peer, magic }: Net & { readonly socket: string },
  locks: readonly number[],
  { deadPeer }: Switches,
): Promise<Card | Refusal> {
  const own = `${dirname(peer)}/vfkit-${process.pid.toString(16)}-${randomBytes(2).toString('hex')}.sock`;
  if (Buffer.byteLength(own) > longestSocket) return refuse(11, `unixgram path ${own} is too long`);
  const dial = (why: string) => refuse(11, `dial unixgram ${own}->${peer}: connect: ${why}`);
  if (Buffer.byteLength(peer) > longestSocket) return dial('invalid argument');
  const launcher = new Launcher({ own, peer, magic }, locks);
  const { errno } = await launcher.connected;
  if (errno === undefined) return { launcher, isConnected: true, own };
  if (errno === connectionRefused && deadPeer === 'taken')
    return { launcher: new Launcher(undefined, locks), isConnected: false, own };
  return dial(errnoWords[errno] ?? `errno ${errno}`);
}

function makeDevice(device: Device): Refusal | undefined {
  switch (device.kind) {
    case 'unmade':
      return refuse(11, device.text);
    case 'disk':
      return device.isDevice && !statSync(device.path).isBlockDevice()
        ? refuse(11, `${device.path} is not a block device`)
        : undefined;
    case 'net':
      return device.fd === undefined ? undefined : refuse(11, 'fd must be a datagram socket');
    case 'serial':
      if (device.isStdio && !isatty(0)) return refuse(11, 'inappropriate ioctl for device');
      return device.log === undefined ? undefined : emptyLog(device.log);
    default:
      return undefined;
  }
}

/** Opened by the framework, not for appending. */
function emptyLog(path: string): Refusal | undefined {
  try {
    writeFileSync(path, '');
    return undefined;
  } catch (error) {
    return refuse(11, vzError('invalidConfiguration', (error as Error).message));
  }
}

/** Step 12: the framework looks at the whole. `hangs`: the start will never be answered. */
export function validate(
  machine: Machine,
  { images }: Attached,
  switches: Switches,
): Refusal | 'hangs' | undefined {
  const invalid = (why: string) => refuse(12, vzError('invalidConfiguration', why));
  if (switches.unsigned === true)
    return invalid('The process doesn’t have the “com.apple.security.virtualization” entitlement.');
  if (switches.oddSizes !== 'taken') {
    if (machine.cpus < 1 || machine.cpus > cpus().length)
      return invalid('The number of virtual CPUs is invalid.');
    if (machine.memoryMiB < 1 || machine.memoryMiB * 1024 ** 2 > totalmem())
      return invalid('The memory size is invalid.');
  }
  for (const { fd } of images) {
    const lock = spawnSync('flock', ['-x', '-n', '3'], {
      stdio: ['ignore', 'ignore', 'ignore', fd],
      env: { PATH: '/usr/bin:/bin' },
    });
    if (lock.status === 0) continue;
    return switches.lockedDisk === 'hangs'
      ? 'hangs'
      : invalid('The storage device attachment is invalid.');
  }
  return undefined;
}

/** A helper of the framework that keeps the locks for a while when vfkit was killed. */
export function lingerOn({ images }: Attached, ms: number): void {
  const holder = spawn('sh', ['-c', `read _; sleep ${ms / 1000}`], {
    stdio: ['pipe', 'ignore', 'ignore', ...images.map(({ fd }) => fd)],
    detached: true,
    env: { PATH: '/usr/bin:/bin' },
  });
  holder.unref();
}
