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
    const [key, value] = keyAndValue(option);
    if (value === undefined) return crash;
    if (key === 'path') path = cut(value);
    else if (key === 'uuid') {
      if (value.length < 36) return crash;
      uuid = value.slice(0, 36);
    } else if (key === 'preferred_ipv4') {
      preferredIpv4 = inetAton(value);
      if (preferredIpv4 === undefined) return crash;
    } else if (key !== 'macfile') return crash;
  }
  return { kind: 'vpnkit', path, uuid, preferredIpv4 };
}

/** strncpy into sun_path: cut off without a word. */
const cut = (path: string): string =>
  Buffer.from(path)
    .subarray(0, sunPath - 1)
    .toString('utf8');

/** inet_aton(3): one to four numbers, decimal, octal or hexadecimal, of which the last fills what is left. As four. */
function inetAton(text: string): string | undefined {
  const parts = text.split('.');
  const isNumber = (part: string) => /^(0x[0-9a-f]+|0[0-7]*|[1-9]\d*)$/i.test(part);
  if (parts.length > 4 || !parts.every(isNumber)) return undefined;
  const numbers = parts.map((part) =>
    /^0[0-7]+$/.test(part) ? Number.parseInt(part, 8) : Number(part),
  );
  const last = numbers.pop() ?? 0;
  if (numbers.some((number) => number > 255) || last >= 256 ** (4 - numbers.length))
    return undefined;
  const address = numbers.reduce((sum, number, n) => sum + number * 256 ** (3 - n), last);
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
}

/** Split at the first `=`: a value may have others. */
export function keyAndValue(option: string): [key: string, value: string | undefined] {
  const at = option.indexOf('=');
  return at < 0 ? [option, undefined] : [option.slice(0, at), option.slice(at + 1)];
}

function sock(config: string): Device | Refusal {
  let cid = 0;
  let directory: string | undefined;
  let forwards: number[] = [];
  for (const option of config.split(',')) {
    const [key, value = ''] = keyAndValue(option);
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
  const keys = config.split(',').map((option) => keyAndValue(option)[0]);
  const unknown = keys.find((key) => !['path', 'port', 'tag'].includes(key));
  if (unknown !== undefined) return refuse(1, `virtio-9p: unknown option ${unknown}`);
  const ways = keys.filter((key) => key !== 'tag').length;
  return ways === 1 ? { kind: 'plain' } : refuse(1, 'virtio-9p: need one of path= and port=');
}
