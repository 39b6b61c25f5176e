/**
 * A stand-in for HyperKit: takes its command line with its strictness, makes its files and sockets in its order, ends as it
 * ends, and in between runs the real guest. What it cannot show is in docs/hyperkit.md.
 */
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  closeSync,
  copyFileSync,
  existsSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, type Machine } from './command-line.ts';
import { keyAndValue, type Device } from './devices.ts';
import { startGuest, type Disk, type Guest } from './guest.ts';
import { bridge, connectCard, type Card } from './network.ts';
import { refuse, type Refusal } from './refusal.ts';
import { forwardedPorts, relayArchive, relayPorts } from './relay.ts';
import { RingFile } from './ring-file.ts';
import { openVsock } from './vsock.ts';

/** Put in by the bundler: the text of the image's /init. */
declare const IMAGE_INIT: string;

/** What a test tells a running stand-in, in the file PROGRAM.orders: to end, or to be deaf. */
interface Orders {
  readonly end?: number | NodeJS.Signals;
  readonly say?: string;
  readonly deafToButton?: boolean;
}

const say = (line: string) => void writeSync(2, `${line}\n`);
let pidfile: string | undefined;
let deaf = false;

/** A normal exit(): what atexit removes is removed. Signals and aborts leave all behind. */
function leave(code: number): never {
  if (pidfile !== undefined) rmSync(pidfile, { force: true });
  process.exit(code);
}

function die(signal: NodeJS.Signals): void {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}

function end(refusal: Refusal): void {
  if (refusal.says !== '') say(refusal.says);
  if ('code' in refusal.end) leave(refusal.end.code);
  die(refusal.end.signal);
}

const parsed = parse(process.argv.slice(2));
if (parsed.kind === 'refused') end(parsed);
else void run(parsed);

async function run(machine: Machine): Promise<void> {
  const written = writePidfile(machine.pidfile);
  if (written !== undefined) return end(written);
  const made: Made = {};
  obeyOrders(made);
  process.on('SIGTERM', () => void onSigterm(machine, made.guest));
  for (const device of machine.devices) {
    if (device.kind === 'refused') return end(device);
    const refusal = await makeDevice(device, machine, made);
    if (refusal !== undefined) return end(refusal);
  }
  if (
    machine.uuid !== undefined &&
    !/^[0-9a-f]{8}(-[0-9a-f]{4}){2}-[0-9a-d][0-9a-f]{3}-[0-9a-f]{12}$/i.test(machine.uuid)
  )
    return end(refuse('SIGABRT', 'Assertion failed: (error == 0), function main, file hyperkit.c'));
  if (!isKernel(machine.kernel))
    return end(refuse('SIGABRT', `kexec: failed to load kernel ${machine.kernel}`));
  if (machine.initrd !== undefined && startOf(machine.initrd, 1) === undefined)
    return end(refuse('SIGABRT', `kexec: failed to load initrd ${machine.initrd}`));
  made.guest = boot(machine, made);
  const how = await made.guest.ended;
  if (how === undefined) return die('SIGABRT');
  leave(how === 'reset' ? 2 : 0);
}

/** What the devices have come to hold. */
interface Made {
  card?: Card;
  disk?: Disk;
  ring?: RingFile;
  guest?: Guest;
}

/** O_EXCL: a file that is there, even an old one, is the end. */
function writePidfile(path: string | undefined): Refusal | undefined {
  if (path === undefined) return undefined;
  try {
    const fd = openSync(path, 'wx', 0o644);
    writeSync(fd, String(process.pid));
    closeSync(fd);
    pidfile = path;
    return undefined;
  } catch {
    return refuse(1, 'Failed to set up pidfile\npidfile error -1');
  }
}

async function makeDevice(
  device: Device,
  machine: Machine,
  made: Made,
): Promise<Refusal | undefined> {
  switch (device.kind) {
    case 'vpnkit':
      made.card = await connectCard(device, say);
      return undefined;
    case 'disk':
      return openDisk(device.path, device.readOnly, made);
    case 'sock': {
      const why = await openVsock(device, (port) => relayPort(port, made));
      return why === undefined ? undefined : refuse(1, why);
    }
    case 'lpc':
      return openSerial(machine, made);
    default:
      return undefined;
  }
}

/** Writable or, in silence, read-only, whatever forbids to write; locked either way. */
function openDisk(path: string, asksReadOnly: boolean, made: Made): Refusal | undefined {
  const writable = asksReadOnly ? undefined : tryOpen(path, 'r+');
  const fd = writable ?? tryOpen(path, 'r');
  if (fd === undefined) return refuse(1, `Could not open backing file: ${path}`);
  const lock = spawnSync('flock', [writable === undefined ? '-s' : '-x', '-n', '3'], {
    stdio: ['ignore', 'ignore', 'ignore', fd],
    env: { PATH: '/usr/bin:/bin' },
  });
  if (lock.status !== 0) return refuse(1, `Could not lock backing file: ${path}`);
  if (!asksReadOnly) made.disk ??= { path, isReadOnly: writable === undefined };
  return undefined;
}

/**
 * log= alone is not enough; the terminal's file holds its name without an end of line. Where one of the files cannot be made that is
 * said, and there is no console.
 */
function openSerial(machine: Machine, made: Made): Refusal | undefined {
  const backends = machine.serial.get('com1')?.backends ?? [];
  const bad = refuse(1, `Unable to initialize backend '${backends.join(',')}' for LPC device com1`);
  let hasTerminal = false;
  for (const backend of backends) {
    const [name, path] = keyAndValue(backend);
    if (name === 'autopty') {
      const make = () => path === undefined || writeFileSync(path, '/dev/ttys000', { mode: 0o644 });
      if (!canMake('creating autopty file', make)) return undefined;
      hasTerminal = true;
    } else if (name === 'stdio' || name === 'null' || name.startsWith('/dev/')) hasTerminal = true;
    else if (name === 'log' && path !== undefined) {
      if (!canMake('open console-ring', () => (made.ring = new RingFile(path)))) return undefined;
    } else return bad;
  }
  return backends.length > 0 && !hasTerminal ? bad : undefined;
}

/** As perror(3) tells it. */
function canMake(what: string, make: () => unknown): boolean {
  try {
    make();
    return true;
  } catch (error) {
    say(`${what}: ${(error as Error).message}`);
    return false;
  }
}

function boot(machine: Machine, made: Made): Guest {
  const initrd = join(tmpdir(), `hyperkit-initrd-${process.pid}`);
  copyFileSync(machine.initrd ?? '/dev/null', initrd);
  appendFileSync(initrd, relayArchive(IMAGE_INIT, statSync(initrd).size));
  const guest = startGuest({
    machine,
    initrd,
    disk: made.disk ?? { path: '/dev/null', isReadOnly: true },
    mac: made.card?.mac ?? '',
    relayPorts: [...relayPorts.values()],
  });
  // QEMU has read its files when it answers.
  void guest.hmp('info version').then(() => unlinkSync(initrd));
  guest.serial.on('data', (bytes: Buffer) => made.ring?.write(bytes));
  if (made.card !== undefined)
    bridge(made.card, guest.frames, {
      onLost: (why) => {
        say(why);
        press(guest);
      },
      onAssert: (why) => {
        say(why);
        die('SIGABRT');
      },
    });
  return guest;
}

function press(guest: Guest): void {
  if (!deaf) guest.powerButton();
}

/** The power button, once the guest has enabled ACPI (SCI_EN in PM1a_CNT, at 0x604 on QEMU's pc); death before that. */
async function onSigterm(machine: Machine, guest: Guest | undefined): Promise<void> {
  const answer = guest === undefined || !machine.hasAcpi ? '' : await guest.hmp('i /h 0x604');
  const value = Number.parseInt(/= 0x([0-9a-f]+)/.exec(answer)?.[1] ?? '0', 16);
  const isEnabled = (value & 1) === 1 && value !== 0xffff;
  if (isEnabled && guest !== undefined) return press(guest);
  die('SIGTERM');
}

let ports: Promise<ReadonlyMap<number, number>> | undefined;

/** This host's port that leads to a vsock port: QEMU chose it. */
async function relayPort(vsock: number, { guest: running }: Made): Promise<number | undefined> {
  if (running?.isRelayed() !== true) return undefined;
  ports ??= running.hmp('info usernet').then(forwardedPorts);
  return (await ports).get(relayPorts.get(vsock) ?? 0);
}

/** A bzImage of boot protocol 2.10 or later (kexec.c L100). */
function isKernel(path: string): boolean {
  const head = startOf(path, 0x208);
  return head?.toString('latin1', 0x202, 0x206) === 'HdrS' && head.readUInt16LE(0x206) >= 0x020a;
}

function startOf(path: string, bytes: number): Buffer | undefined {
  const fd = tryOpen(path, 'r');
  if (fd === undefined) return undefined;
  const head = Buffer.alloc(bytes);
  readSync(fd, head);
  closeSync(fd);
  return head;
}

function tryOpen(path: string, flags: 'r' | 'r+'): number | undefined {
  try {
    return openSync(path, flags);
  } catch {
    return undefined;
  }
}

/** Looks for orders now and then. */
function obeyOrders(made: Made): void {
  const path = `${process.argv[1] ?? ''}.orders`;
  setInterval(() => {
    if (!existsSync(path)) return;
    const orders = JSON.parse(readFileSync(path, 'utf8')) as Orders;
    unlinkSync(path);
    if (orders.say !== undefined) say(orders.say);
    deaf = orders.deafToButton ?? deaf;
    if (orders.end === undefined) return;
    made.guest?.kill();
    if (typeof orders.end === 'number') leave(orders.end);
    die(orders.end);
  }, 20).unref();
}
