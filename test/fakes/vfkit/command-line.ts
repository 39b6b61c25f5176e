/**
 * vfkit's command line, taken as strictly as vfkit takes it, in its order of work: what it would do, without doing it. Written from
 * the table of facts in rows.ts; nothing of our driver is known here, so that the driver's argv can be checked against it.
 */
import { parseDevice, type Device } from './devices.ts';
import { readFlags, type Flags, type Said } from './flags.ts';
import { parseUint } from './go-words.ts';
import { refuse, type Refusal } from './refusal.ts';
import { connectPath, restOf, type Rest } from './sockets.ts';
import { isSince, type Host } from './version.ts';

/** A machine that vfkit would go on to make. */
export interface Machine {
  readonly kind: 'machine';
  readonly cpus: number;
  readonly memoryMiB: number;
  readonly kernel: string;
  readonly initrd: string;
  readonly cmdline: string;
  /** In the order of the words. */
  readonly devices: readonly Device[];
  /** Judged at step 13: its words are an error only there. */
  readonly rest: Rest | string;
  readonly pidfile: string | undefined;
}

/** What vfkit looks at and writes while it reads its command line. */
export interface Files {
  /** The first bytes, or Go's words for why not. */
  readonly head: (path: string, bytes: number) => Buffer | string;
  readonly exists: (path: string) => boolean;
  /** Undefined, or Go's words for why not. */
  readonly writePidfile: (path: string) => string | undefined;
}

/** Steps 1 to 10 of vfkit's order of work. */
export function parse(argv: readonly string[], host: Host, files: Files): Machine | Said | Refusal {
  const flags = readFlags(argv, host.version);
  if (flags.kind !== 'flags') return flags;
  const early = beforePidfile(flags, host);
  if ('step' in early) return early;
  if (flags.pidfile !== '') {
    const failed = files.writePidfile(flags.pidfile);
    if (failed !== undefined) return refuse(7, `could not write PID to file: ${failed}`);
  }
  const devices = [...early.devices];
  for (const text of flags.devices) {
    const device = parseDevice(text, host);
    const wrong = typeof device === 'string' ? device : openDisk(device, host, files);
    if (typeof device === 'string' || wrong !== undefined) return refuse(8, wrong ?? '');
    devices.push(device);
  }
  if (flags.ignition.length > 1)
    return refuse(9, 'ignition only accepts one option in command line argument');
  const boot = checkBoot(early, host, files);
  if (boot !== undefined) return boot;
  const { kernel, initrd, cmdline } = early;
  return {
    kind: 'machine',
    cpus: flags.cpus,
    memoryMiB: flags.memoryMiB,
    kernel,
    initrd,
    cmdline,
    devices,
    rest: restOf(flags.restfulUri),
    pidfile: flags.pidfile === '' ? undefined : flags.pidfile,
  };
}

/** A command line whose files are all as they should be: for who writes one. */
export const goodFiles: Files = {
  head: (_, bytes) => {
    const head = Buffer.alloc(bytes);
    if (bytes >= 0x3c) head.write('ARMd', 0x38, 'latin1');
    return head;
  },
  exists: () => true,
  writePidfile: () => undefined,
};

/**
 * What vfkit would say to these words if all files were there: nothing, or one line for each thing that it would refuse, warn of, or
 * take for something else than was meant. For tests of whoever writes command lines of vfkit.
 */
export function complaints(argv: readonly string[], host: Host): string[] {
  const parsed = parse(argv, host, goodFiles);
  if (parsed.kind === 'refused') return [parsed.text];
  if (parsed.kind === 'said') return [`it only says: ${parsed.text}`];
  const stray = strayWords(argv);
  return [
    ...stray.map((word) => `the word ${word} is ignored`),
    ...(typeof parsed.rest === 'string' ? [parsed.rest] : []),
    ...parsed.devices.flatMap((device) => deviceComplaints(device)),
  ];
}

function deviceComplaints(device: Device): string[] {
  if (device.kind === 'unmade') return [device.text];
  if (device.kind === 'net' && device.socket !== undefined) return netComplaints(device.socket);
  if (device.kind === 'serial' && device.isStdio) return ['stdio needs a terminal'];
  if (device.kind !== 'vsock' || device.direction === 'listen') return [];
  const made = connectPath(device.socketUrl);
  if (typeof made === 'string') return [`error exposing vsock port ${device.port}: ${made}`];
  return made.path === device.socketUrl
    ? []
    : [`the socket ${device.socketUrl} would be made as ${made.path}`];
}

/** `vfkit-PIDHEX-RANDHEX.sock`, beside the peer: at most so many bytes on macOS. */
export const longestOwnName = 21;

function netComplaints(socket: string): string[] {
  const directory = socket.slice(0, socket.lastIndexOf('/') + 1);
  return [
    ...(socket.startsWith('/') ? [] : ['a relative network socket']),
    ...(Buffer.byteLength(socket) > 103 ? [`${socket} is too long: invalid argument`] : []),
    ...(Buffer.byteLength(directory) + longestOwnName >= 104
      ? [`unixgram path in ${directory} is too long`]
      : []),
  ];
}

/** Words that belong to no flag; vfkit does not look at them. */
function strayWords(argv: readonly string[]): string[] {
  const alone = /^(--(gui|nested|help|version)(=.*)?|-[nhv]+|--[^=]+=.*|-[cmbkiCdt].+)$/s;
  const stray: string[] = [];
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] ?? '';
    if (!word.startsWith('-') || word === '-' || word === '--') stray.push(word);
    else if (!alone.test(word)) at++;
  }
  return stray;
}

interface Boot {
  readonly kernel: string;
  readonly initrd: string;
  readonly cmdline: string;
  readonly devices: readonly Device[];
}

/** Steps 3 to 6. */
function beforePidfile(flags: Flags, host: Host): Boot | Refusal {
  if (!['debug', 'info', 'error', ''].includes(flags.logLevel))
    return refuse(3, `unknown log level: ${flags.logLevel}`);
  const boot = bootOf(flags);
  if (typeof boot === 'string') return refuse(4, boot);
  if (flags.nested && host.nests !== true)
    return refuse(5, 'nested virtualization is not supported');
  if (flags.timesync === '') return { ...boot, devices: [] };
  const port = timesyncPort(flags.timesync);
  if (typeof port === 'string') return refuse(6, port);
  return {
    ...boot,
    devices: [{ kind: 'vsock', port, socketUrl: '', direction: 'connect' }],
  };
}

type Kernel = Omit<Boot, 'devices'>;

function bootOf(flags: Flags): Kernel | string {
  const { kernel, initrd, cmdline, bootloader } = flags;
  if (kernel !== '' || initrd !== '' || cmdline !== '') return { kernel, initrd, cmdline };
  const [type, ...options] = bootloader;
  if (type === undefined) return 'empty option list in --bootloader command line argument';
  if (type === 'efi' || type === 'macos') return otherBoot(type, options);
  if (type !== 'linux') return `unknown bootloader type: ${type}`;
  const boot = { kernel: '', initrd: '', cmdline: '' };
  for (const option of options) {
    const at = option.indexOf('=');
    const key = at < 0 ? option : option.slice(0, at);
    const value = at < 0 ? '' : option.slice(at + 1);
    if (key === 'kernel' || key === 'initrd') boot[key] = value;
    // All quotes at both ends, also those that were meant.
    else if (key === 'cmdline') boot.cmdline = value.replace(/^"+|"+$/g, '');
    else return `unknown option for Linux bootloaders: ${key}`;
  }
  return boot;
}

/** Nobody here boots one: its words alone are judged. */
function otherBoot(type: string, options: readonly string[]): Kernel | string {
  const create = options.find((option) => option.startsWith('create='));
  if (type === 'efi' && create !== undefined)
    return `unexpected value for EFI bootloader 'create' option: ${create.slice('create='.length)}`;
  return { kernel: '', initrd: '', cmdline: '' };
}

function timesyncPort(text: string): number | string {
  let port = 0;
  for (const option of text.split(',')) {
    const [key = '', value = ''] = option.split('=');
    if (key !== 'vsockPort') return `unknown option for timesync parameter: ${key}`;
    const read = parseUint(value, 10, 32);
    if ('says' in read) return read.says;
    port = read.value;
  }
  return port === 0 ? "missing 'vsockPort' option for timesync parameter" : port;
}

/** Step 8 opens what is a virtio-blk, and reads 4 bytes. */
function openDisk(device: Device, { version }: Host, files: Files): string | undefined {
  if (device.kind !== 'disk' || device.type !== 'virtio-blk') return undefined;
  const { path } = device;
  const head = files.head(path, 4);
  if (typeof head === 'string')
    return head.startsWith('read ')
      ? `failed to read the header of file ${path}: ${head}`
      : `failed to open file ${path}: ${head}`;
  if (head.length < 4) return `failed to read the header of file ${path}: EOF`;
  if (isSince(version, '0.6.2') && head.toString('latin1') === 'QFI\u00fb')
    return 'vfkit does not support qcow2 image format';
  return undefined;
}

/** Step 10: the magic of an arm64 Image (Documentation/arch/arm64/booting.rst), then that both are there. */
function checkBoot({ kernel, initrd }: Kernel, host: Host, files: Files): Refusal | undefined {
  if (host.arch === 'arm64') {
    const head = files.head(kernel, 2048);
    if (typeof head === 'string') return refuse(10, head);
    if (head.length === 0) return refuse(10, 'EOF');
    if (head.toString('latin1', 0x38, 0x3c) !== 'ARMd')
      return refuse(10, `kernel must be uncompressed, ${kernel} is a compressed file`);
  }
  if (!files.exists(kernel))
    return refuse(10, `invalid linux kernel path: stat ${kernel}: no such file or directory`);
  if (!files.exists(initrd))
    return refuse(10, `invalid initial RAM disk path: stat ${initrd}: no such file or directory`);
  return undefined;
}
