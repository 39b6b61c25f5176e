/** Which vfkit, on which Mac, the stand-in is; and the other answers, for facts of which nobody is sure. */
import { existsSync, readFileSync, unlinkSync } from 'node:fs';
import { nativeArch, type Host } from './version.ts';

/** Read once, at the start, from PROGRAM.switches. */
export interface Switches extends Partial<Host> {
  /** Row 17: whether the framework refuses processors and memory that this machine does not have. */
  readonly oddSizes?: 'refused' | 'taken';
  /** Row 44. */
  readonly lockedDisk?: 'refused' | 'hangs';
  /** Row 57: a socket file with nobody behind it. */
  readonly deadPeer?: 'refused' | 'taken';
  /** Row 93: the program is not signed for virtual machines. */
  readonly unsigned?: boolean;
  /** Row 94: whether the process ends behind a SIGTERM, or stays with a stopped VM. */
  readonly sigterm?: 'ends' | 'hangs';
  /** Row 94: CanRequestStop. */
  readonly canRequestStop?: boolean;
  /** Row 95: whether the answer to HardStop comes before the end. */
  readonly hardStopReply?: 'cut' | 'sent';
  /** Row 96. */
  readonly reboot?: 'goes-on' | 'ends';
  /** The VM never gets to Running. */
  readonly neverRuns?: boolean;
  /** How long the VM may take to run, and how long a SIGTERM waits for the guest: 5 s, but for tests that have seen that. */
  readonly patienceMs?: number;
  /** How long the framework's helper keeps the disk's lock behind the end of a killed vfkit. */
  readonly lockLingersMs?: number;
  /** No relay is put into the guest: for kernels that are no Linux. */
  readonly bare?: boolean;
}

/** What a test tells a running stand-in, in the file PROGRAM.orders, which is taken away. */
export interface Orders {
  readonly end?: number | NodeJS.Signals;
  readonly say?: string;
  /** The VM comes to the state Error. */
  readonly fails?: boolean;
  /** The guest hears no power button. */
  readonly deafToButton?: boolean;
}

const program = () => process.argv[1] ?? '';

export function readSwitches(): Switches & Host {
  const path = `${program()}.switches`;
  const told = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Switches) : {};
  return { version: '0.6.4', arch: nativeArch(), ...told };
}

/** Looks for orders now and then. */
export function obeyOrders(obey: (orders: Orders) => void): void {
  const path = `${program()}.orders`;
  setInterval(() => {
    if (!existsSync(path)) return;
    const orders = JSON.parse(readFileSync(path, 'utf8')) as Orders;
    unlinkSync(path);
    obey(orders);
  }, 20).unref();
}
