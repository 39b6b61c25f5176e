/** The grammar of `--device`: what each type takes, and the words in which it refuses the rest. Nothing is opened here. */
import { parseMac, parseUint, quote } from './go-words.ts';
import { isSince, type Host } from './version.ts';

export type Device =
  | { readonly kind: 'plain'; readonly type: string }
  | {
      readonly kind: 'disk';
      readonly type: 'virtio-blk' | 'nvme' | 'usb-mass-storage';
      readonly path: string;
      readonly isDevice: boolean;
      readonly readOnly: boolean;
      readonly deviceId: string;
    }
  | {
      readonly kind: 'net';
      readonly socket: string | undefined;
      readonly fd: number | undefined;
      readonly mac: string | undefined;
      readonly magic: boolean;
    }
  | { readonly kind: 'serial'; readonly log: string | undefined; readonly isStdio: boolean }
  | {
      readonly kind: 'vsock';
      readonly port: number;
      readonly socketUrl: string;
      readonly direction: 'listen' | 'connect';
    }
  /** Taken by the grammar, refused when it is made (step 11). */
  | { readonly kind: 'unmade'; readonly type: string; readonly text: string };

type Options = readonly (readonly [key: string, value: string])[];

/** What is thrown inside here, and caught in `parseDevice`. */
class Wrong extends Error {}

/** The device, or vfkit's words. Split at every comma, without quoting; empty items are skipped. */
export function parseDevice(text: string, host: Host): Device | string {
  const [type = '', ...items] = text.split(',');
  const make = Object.hasOwn(makers, type) ? makers[type] : undefined;
  if (make === undefined || (type === 'virtio-balloon' && !isSince(host.version, '0.6.1')))
    return `unknown device type: ${type}`;
  const options = items.filter((item) => item !== '').map(keyAndValue);
  try {
    return make(options, host, type);
  } catch (error) {
    if (error instanceof Wrong) return error.message;
    throw error;
  }
}

/** Split at the first `=`: a value may have others. */
function keyAndValue(item: string): readonly [string, string] {
  const at = item.indexOf('=');
  return at < 0 ? [item, ''] : [item.slice(0, at), item.slice(at + 1)];
}

type Maker = (options: Options, host: Host, type: string) => Device;

const makers: Readonly<Record<string, Maker>> = {
  rosetta,
  nvme: disk,
  'usb-mass-storage': disk,
  'virtio-blk': disk,
  'virtio-fs': share,
  'virtio-net': net,
  'virtio-rng': bare,
  'virtio-balloon': bare,
  'virtio-serial': serial,
  'virtio-vsock': vsock,
  'virtio-input': (options, _, type) => taken(type, options, ['keyboard', 'pointing']),
  'virtio-gpu': (options, _, type) => taken(type, options, ['width', 'height']),
  nbd: (options, _, type) =>
    taken(type, options, ['uri', 'deviceId', 'timeout', 'sync', 'readonly']),
};

const unknown = (type: string, key: string) =>
  new Wrong(`unknown option for ${type} devices: ${key}`);

/** A word that stands alone. */
function flag(type: string, key: string, value: string): true {
  if (value !== '') throw new Wrong(`unexpected value for ${type} '${key}' option: ${value}`);
  return true;
}

/** A value that says so itself, where it is wrong. */
function read<T>(result: { readonly value: T } | { readonly says: string }): T {
  if ('says' in result) throw new Wrong(result.says);
  return result.value;
}

function taken(type: string, options: Options, keys: readonly string[]): Device {
  const odd = options.find(([key]) => !keys.includes(key));
  if (odd !== undefined) throw unknown(type, odd[0]);
  return { kind: 'plain', type };
}

function bare(options: Options, _: Host, type: string): Device {
  if (options.length > 0)
    throw new Wrong(
      `unknown options for ${type} devices: [${options.map(([key]) => key).join(' ')}]`,
    );
  return { kind: 'plain', type };
}

function disk(options: Options, { version }: Host, type: string): Device {
  let [path, isDevice, readOnly, deviceId] = ['', false, false, ''];
  for (const [key, value] of options)
    if (key === 'path') path = value;
    else if (key === 'type' && isSince(version, '0.6.2')) {
      if (value !== 'image' && value !== 'dev')
        throw new Wrong(`unexpected value for disk 'type' option: ${value}`);
      isDevice = value === 'dev';
    } else if (key === 'readonly') readOnly = flag(type, key, value);
    else if (key === 'deviceId' && type === 'virtio-blk') deviceId = value;
    else throw unknown(type, key);
  return {
    kind: 'disk',
    type: type as 'virtio-blk',
    path,
    isDevice,
    readOnly,
    deviceId,
  };
}

function net(options: Options, { version }: Host): Device {
  const type = 'virtio-net';
  const isNew = isSince(version, '0.6.2');
  const got = { nat: false, magic: true, hasOffloading: false };
  let [socket, kind, path] = ['', '', ''];
  let fd: number | undefined;
  let mac: string | undefined;
  for (const [key, value] of options)
    if (key === 'nat') got.nat = flag(type, key, value);
    else if (key === 'mac') mac = read(parseMac(value));
    else if (key === 'fd') fd = descriptor(value);
    else if (key === 'unixSocketPath') socket = value;
    else if (key === 'vfkitMagic') got.magic = onOrOff(value);
    else if (key === 'type' && isNew) kind = value;
    else if (key === 'path' && isNew) path = value;
    else if (key === 'offloading' && isNew) {
      if (value !== 'off') throw new Wrong("only 'off' is supported for 'offloading'");
      got.hasOffloading = true;
    } else throw unknown(type, key);
  checkNewSyntax({ kind, path, hasOffloading: got.hasOffloading });
  const ways = [got.nat, fd !== undefined, socket !== '' || path !== ''].filter(Boolean).length;
  if (ways === 0)
    throw new Wrong("one of 'nat' or 'fd' or 'unixSocketPath' must be set for virtio-net");
  if (ways > 1) throw new Wrong("'nat', 'fd' and 'unixSocketPath' cannot be set at the same time");
  const peer = socket === '' ? path : socket;
  return {
    kind: 'net',
    fd,
    mac,
    magic: got.magic,
    socket: peer === '' ? undefined : peer,
  };
}

function checkNewSyntax(got: {
  readonly kind: string;
  readonly path: string;
  readonly hasOffloading: boolean;
}): void {
  if (got.kind === '' && got.path !== '') throw new Wrong("'path' option requires 'type' option");
  if (got.kind === '' && got.hasOffloading)
    throw new Wrong("'offloading' option requires 'type' option");
  if (got.kind === '') return;
  if (got.kind !== 'unixgram') throw new Wrong(`unsupported virtio-net type: ${got.kind}`);
  if (got.path === '') throw new Wrong("'type' option requires 'path' option");
}

function descriptor(text: string): number {
  if (!/^[+-]?\d+$/.test(text))
    throw new Wrong(`strconv.Atoi: parsing ${quote(text)}: invalid syntax`);
  if (Number(text) < 0) throw new Wrong(`invalid file descriptor: ${text}`);
  return Number(text);
}

function onOrOff(text: string): boolean {
  if (text !== 'on' && text !== 'off') throw new Wrong(`invalid value for vfkitMagic: ${text}`);
  return text === 'on';
}

function serial(options: Options, { version }: Host): Device {
  const type = 'virtio-serial';
  const hasPty = isSince(version, '0.6.2');
  let [log, isStdio, isPty] = ['', false, false];
  for (const [key, value] of options)
    if (key === 'logFilePath') log = value;
    else if (key === 'stdio') isStdio = flag(type, key, value);
    else if (key === 'pty' && hasPty) isPty = true;
    else throw unknown(type, key);
  const ways = [log !== '', isStdio, isPty].filter(Boolean).length;
  const names = hasPty ? "'logFilePath', 'stdio' or 'pty'" : "'logFilePath' or 'stdio'";
  if (ways === 0) throw new Wrong(`one of ${names} must be set for virtio-serial`);
  if (ways > 1) throw new Wrong(`${names} cannot be set at the same time`);
  return { kind: 'serial', log: log === '' ? undefined : log, isStdio };
}

function vsock(options: Options): Device {
  let [port, socketUrl] = [0, ''];
  let direction: 'listen' | 'connect' = 'listen';
  for (const [key, value] of options)
    if (key === 'port') port = read(parseUint(value, 10, 32));
    else if (key === 'socketURL') socketUrl = value;
    else if (key === 'listen' || key === 'connect') direction = key;
    else throw unknown('virtio-vsock', key);
  return { kind: 'vsock', port, socketUrl, direction };
}

function share(options: Options, _: Host, type: string): Device {
  const shared = options.findLast(([key]) => key === 'sharedDir')?.[1] ?? '';
  taken(type, options, ['sharedDir', 'mountTag']);
  return shared === ''
    ? { kind: 'unmade', type, text: "missing mandatory 'sharedDir' option for virtio-fs device" }
    : { kind: 'plain', type };
}

function rosetta(options: Options, { arch }: Host, type: string): Device {
  let mountTag = '';
  for (const [key, value] of options)
    if (key === 'mountTag') mountTag = value;
    else if (key === 'install' || key === 'ignore-if-missing') flag(type, key, value);
    else throw new Wrong(`unknown option for rosetta share: ${key}`);
  if (arch === 'amd64')
    return { kind: 'unmade', type, text: 'rosetta is unsupported on non-arm64 platforms' };
  return mountTag === ''
    ? { kind: 'unmade', type, text: "missing mandatory 'mountTag' option for rosetta share" }
    : { kind: 'plain', type };
}

/** The longest name of a unix socket on macOS, in bytes: 104 with its NUL. */
export const longestSocket = 103;
