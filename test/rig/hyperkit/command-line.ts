/** HyperKit's command line, taken as strictly as HyperKit takes it: what it would do, without doing it. */
import { getopt } from './getopt.ts';
import { isDriver, parseDevice, type Device, type Driver } from './devices.ts';
import { noVmnet, refuse, type Refusal } from './refusal.ts';

export interface Serial {
  readonly backends: readonly string[];
}

/** A machine that HyperKit would go on to make. */
export interface Machine {
  readonly kind: 'machine';
  readonly cpus: number;
  readonly memoryMiB: number;
  readonly hasAcpi: boolean;
  readonly pidfile: string | undefined;
  readonly uuid: string | undefined;
  /** In the order in which HyperKit makes them, by slot, not by word; up to the first whose configuration it does not take. */
  readonly devices: readonly (Device | Refusal)[];
  readonly serial: ReadonlyMap<string, Serial>;
  readonly kernel: string;
  readonly initrd: string | undefined;
  readonly cmdline: string;
}

export const usage = 'Usage: hyperkit [-behuwxMACHPWY] [-c vcpus] [-g <gdb port>] [-l <lpc>] ...';
const maxCpus = 64;

interface Slot {
  readonly key: string;
  readonly bus: number;
  readonly order: number;
  readonly driver: Driver;
  readonly config: string;
}

/** The words, as HyperKit's main() reads them: what is wrong first, in its order. */
export function parse(argv: readonly string[]): Machine | Refusal {
  const read = getopt(argv);
  if ('bad' in read) return refuse(1, usage);
  let cpus = 1;
  let memoryMiB: number | undefined = 256;
  let hasAcpi = false;
  let pidfile: string | undefined;
  let uuid: string | undefined;
  let firmware: Firmware | undefined;
  const slots: Slot[] = [];
  const serial = new Map<string, Serial>();
  for (const { letter, value = '' } of read.options)
    switch (letter) {
      case 'A':
        hasAcpi = true;
        break;
      case 'F':
        pidfile = value;
        break;
      case 'U':
        uuid = value;
        break;
      case 'c':
        cpus = Number.parseInt(value, 10) || 0;
        break;
      case 'm':
        memoryMiB = parseMemory(value);
        if (memoryMiB === undefined) return refuse(64, `invalid memsize '${value}'`);
        break;
      case 's': {
        const slot = parseSlot(value);
        if ('end' in slot) return slot;
        if (slots.some(({ key }) => key === slot.key))
          return refuse(1, `pci slot ${slot.key} already occupied!`);
        slots.push(slot);
        break;
      }
      case 'l': {
        const [name = '', ...backends] = value.split(',');
        if (!/^(com[1-4]|bootrom)$/.test(name))
          return refuse(64, `invalid lpc device configuration '${value}'`);
        serial.set(name, { backends });
        break;
      }
      case 'f': {
        firmware = parseFirmware(value);
        if (firmware === undefined) return refuse(1, `Invalid firmware argument: ${value}`);
        break;
      }
      case 'M':
        return refuse(1, noVmnet);
      case 'h':
        return refuse(0, usage);
      case 'v':
        return refuse(0, 'hyperkit: stand-in');
    }
  if (firmware === undefined) return refuse(1, usage);
  if (cpus < 1) return refuse(1, `Invalid number of vCPUs: ${cpus}`);
  if (cpus > maxCpus) return refuse(1, `${cpus} vCPUs requested but only ${maxCpus} available`);
  if (memoryMiB < 1 || memoryMiB > mostMemoryMiB) return refuse(1, 'Unable to setup memory');
  const devices = devicesOf(slots);
  return {
    kind: 'machine',
    cpus,
    memoryMiB,
    hasAcpi,
    pidfile,
    uuid,
    devices,
    serial,
    ...firmware,
  };
}

/** Each is parsed when its turn comes to be made: those before it are there then, and so is the pidfile. */
function devicesOf(slots: readonly Slot[]): readonly (Device | Refusal)[] {
  const devices: (Device | Refusal)[] = [];
  for (const { driver, config, bus } of [...slots].sort((a, b) => a.order - b.order)) {
    let device = parseDevice(driver, config);
    if (device.kind === 'lpc' && (bus !== 0 || devices.some(({ kind }) => kind === 'lpc')))
      device = refuse(1, 'lpc: only one can be configured, on bus 0');
    devices.push(device);
    if (device.kind === 'refused') break;
  }
  return devices;
}

/** No host has more: HyperKit cannot have it, and ends with 1. */
const mostMemoryMiB = 2 ** 27;

/**
 * parse_memsize: a bare number below 1 MiB is of MiB; of anything else expand_number takes the number that it begins with, be there
 * one or not, and the letter behind it. What follows the letter is not looked at.
 */
function parseMemory(text: string): number | undefined {
  const [, sign = '', digits = '', letter = ''] =
    /^\s*([+-]?)(0x[0-9a-f]+|\d*)(.?)/is.exec(text) ?? [];
  const number =
    sign === '-' && digits !== ''
      ? 2 ** 64 - Number(digits)
      : /^0[0-7]+$/.test(digits)
        ? Number.parseInt(digits, 8)
        : Number(digits);
  if (text !== '' && letter === '') return number < 1024 ** 2 ? number : number / 1024 ** 2;
  const power = ['', 'k', 'm', 'g', 't'].indexOf(letter.toLowerCase().replace('b', ''));
  return power < 0 || number * 1024 ** power >= 2 ** 64 ? undefined : number * 1024 ** (power - 2);
}

/** `[bus:]slot[:func],DRIVER[,CONFIG]`; all behind the second comma is the driver's own. */
function parseSlot(text: string): Slot | Refusal {
  const match = /^(\d+)(?::(\d+))?(?::(\d+))?,([^,]+)(?:,(.*))?$/s.exec(text);
  const invalid = refuse(1, `Invalid PCI slot info field "${text}"`);
  if (match === null) return invalid;
  // What did not take part in the match is undefined, which the types do not say.
  const parts: readonly (string | undefined)[] = match.slice(1, 4);
  const numbers = parts.filter((part) => part !== undefined);
  const [bus = 0, slot = 0, func = 0] =
    numbers.length === 3 ? numbers.map(Number) : [0, Number(numbers[0]), Number(numbers[1] ?? 0)];
  if (bus > 255 || slot > 31 || func > 7) return invalid;
  const driver = match[4] ?? '';
  if (!isDriver(driver)) return refuse(1, `pci slot ${slot}:${func}: unknown device "${driver}"`);
  return {
    // Whatever its bus: the second machine that says the same slot ends.
    key: `${slot}:${func}`,
    bus,
    order: bus * 256 + slot * 8 + func,
    driver,
    config: match[5] ?? '',
  };
}

type Firmware = Pick<Machine, 'kernel' | 'initrd' | 'cmdline'>;

/** `kexec,KERNEL[,INITRD[,CMDLINE]]`: the first three commas split, the rest is the command line; the first word is a prefix. */
function parseFirmware(text: string): Firmware | undefined {
  const [name = '', kernel = '', initrd = '', ...rest] = text.split(',');
  const known = ['kexec', 'fbsd', 'bootrom', 'multiboot'].find((each) => name.startsWith(each));
  if (known === undefined || kernel === '') return undefined;
  const cmdline = rest.join(',');
  return {
    kernel,
    initrd: initrd === '' ? undefined : initrd,
    cmdline: cmdline === '' ? 'auto' : cmdline,
  };
}
