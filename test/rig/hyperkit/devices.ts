/** The configuration strings of HyperKit's devices (src/lib/pci_*.c, block_if.c): what each takes and how it fails. */
import { noVmnet, refuse, type Refusal } from './refusal.ts';

export type Device =
  | { readonly kind: 'plain' | 'lpc' | 'rnd' }
  | {
      readonly kind: 'vpnkit';
      readonly path: string;
      readonly uuid: string | undefined;
      readonly preferredIpv4: string | undefined;
    }
  | {
      readonly kind: 'sock';
      readonly cid: number;
      readonly directory: string;
      readonly forwards: readonly number[];
    }
  | { readonly kind: 'disk'; readonly path: string; readonly readOnly: boolean };

/** Bytes of sun_path on macOS, with the final NUL. */
const sunPath = 104;

const plain = (): Device => ({ kind: 'plain' });

/** What each driver makes of its configuration. */
const drivers = {
  hostbridge: plain,
  amd_hostbridge: plain,
  dummy: plain,
  uart: plain,
  'virtio-tap': plain,
  'virtio-rnd': () => ({ kind: 'rnd' }),
  lpc: () => ({ kind: 'lpc' }),
  'virtio-vpnkit': vpnkit,
  'virtio-sock': sock,
  'virtio-blk': (config) => disk(config, false),
  'ahci-hd': (config) => disk(config, false),
  'ahci-cd': (config) => disk(config, true),
  'virtio-9p': share,
  'virtio-net': () => refuse(1, noVmnet),
} as const satisfies Record<string, (config: string) => Device | Refusal>;

export type Driver = keyof typeof drivers;

/** An unknown one is noticed with its word; a bad configuration when the device is made. */
export const isDriver = (name: string): name is Driver => Object.hasOwn(drivers, name);

export const parseDevice = (driver: Driver, config: string): Device | Refusal =>
  drivers[driver](config);

/** Every fault here returns 1 where the caller looks for -1, and a null pointer is used. */
function vpnkit(config: string): Device | Refusal {
  const crash = refuse('SIGSEGV', '');
  let path = '/var/tmp/com.docker.slirp.socket';
  let uuid: string | undefined;
  let preferredIpv4: string | undefined;
  for (const option of config === '' ? [] : config.split(',')) {
    const [key, value] = [option.split('=')[0], option.slice(option.indexOf('=') + 1)];
    if (!option.includes('=')) return crash;
    if (key === 'path') path = cut(value);
    else if (key === 'uuid') {
      if (value.length < 36) return crash;
      uuid = value.slice(0, 36);
    } else if (key === 'preferred_ipv4') {
      if (!isIpv4(value)) return crash;
      preferredIpv4 = value;
    } else if (key !== 'macfile') return crash;
  }
  return { kind: 'vpnkit', path, uuid, preferredIpv4 };
}

/** strncpy into sun_path: cut off without a word. */
const cut = (path: string): string =>
  Buffer.from(path)
    .subarray(0, sunPath - 1)
    .toString('utf8');

const isIpv4 = (text: string): boolean =>
  /^\d{1,3}(\.\d{1,3}){3}$/.test(text) && text.split('.').every((part) => Number(part) < 256);

function sock(config: string): Device | Refusal {
  let cid = 0;
  let directory: string | undefined;
  let forwards: number[] = [];
  for (const option of config.split(',')) {
    const [key, value = ''] = option.split('=');
    if (key === 'guest_cid') cid = Number(value);
    else if (key === 'path') directory = value;
    else if (key === 'guest_forwards') forwards = value.split(';').map(Number);
    else return refuse(1, `virtio-sock: unknown option ${option}`);
  }
  if (!Number.isInteger(cid) || cid <= 2) return refuse(1, 'virtio-sock: invalid guest_cid');
  if (directory === undefined) return refuse(1, 'virtio-sock: no path given');
  if (forwards.some((port) => !Number.isInteger(port) || port < 0 || port > 0xffffffff))
    return refuse(1, 'virtio-sock: invalid guest_forwards');
  if (forwards.length > 4) return refuse(1, 'Too many forwards');
  if (Buffer.byteLength(directory) + 19 > sunPath) return refuse(1, 'virtio-sock: path too long');
  return { kind: 'sock', cid, directory, forwards };
}

/** `PATH[,nocache|sync|direct|ro][,sectorsize=L[/P]]`. */
function disk(config: string, isCd: boolean): Device | Refusal {
  const [path = '', ...options] = config.split(',');
  for (const option of options) {
    if (option === 'nocache') return refuse(1, 'nocache is not implemented');
    if (!['sync', 'direct', 'ro'].includes(option) && !/^sectorsize=\d+(\/\d+)?$/.test(option))
      return refuse(1, `Invalid device option "${option}"`);
  }
  if (path === '') return refuse(1, 'Could not open backing file: No such file or directory');
  return { kind: 'disk', path, readOnly: isCd || options.includes('ro') };
}

/** Exactly one of path= and port=. */
function share(config: string): Device | Refusal {
  const keys = config.split(',').map((option) => option.split('=')[0] ?? '');
  const unknown = keys.find((key) => !['path', 'port', 'tag'].includes(key));
  if (unknown !== undefined) return refuse(1, `virtio-9p: unknown option ${unknown}`);
  const ways = keys.filter((key) => key !== 'tag').length;
  return ways === 1 ? { kind: 'plain' } : refuse(1, 'virtio-9p: need one of path= and port=');
}
