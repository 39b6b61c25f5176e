/** The framework's VM: the real guest, run by QEMU with the devices that a guest has on a Mac. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Duplex } from 'node:stream';
import { relayMac } from '../../rig/hyperkit/guest.ts';
import { forwardedPorts, relayPorts } from '../../rig/hyperkit/relay.ts';
import { Control } from '../../rig/qmp-control.ts';
import type { Machine } from './command-line.ts';
import type { Device } from './devices.ts';
import type { State } from './states.ts';
import type { Switches } from './switches.ts';
import type { Host } from './version.ts';

/** Put in by the bundler: the text of launch.py, and the interpreter for it. */
declare const LAUNCHER: string;
declare const PYTHON: string;

const relayAddress = '10.99.0.15';
const cardFd = 9;

/** The card's socket: its own name, the peer's, and whether the four bytes are sent. */
export interface Connection {
  readonly own: string;
  readonly peer: string;
  readonly magic: boolean;
}

/** What becomes of a connection: nothing, or an errno. */
export type Connected = { readonly errno?: number };

/**
 * The process that is to be QEMU. Before that it holds the connection to the network, as vfkit does from step 11 on: Node has no unix
 * datagrams. It ends with us, however we end, and keeps the disks' locks until then.
 */
export class Launcher {
  readonly process: ChildProcess;
  readonly qmp: Duplex;
  readonly relay: Duplex;
  readonly connected: Promise<Connected>;
  readonly #orders: Duplex;

  constructor(connection: Connection | undefined, locks: readonly number[]) {
    const { own = '', peer = '', magic = true } = connection ?? {};
    const argv = [PYTHON, '-c', LAUNCHER, own, peer, magic ? 'on' : 'off'];
    this.process = spawn('setpriv', ['--pdeathsig', 'KILL', ...argv], {
      stdio: ['ignore', 'ignore', 'inherit', 'pipe', 'pipe', 'pipe', ...locks],
      // Signals to our group are for vfkit, which is one process.
      detached: true,
      env: { PATH: '/usr/bin:/bin' },
    });
    const [, , , qmp, orders, relay] = this.process.stdio as unknown as Duplex[];
    if (qmp === undefined || orders === undefined || relay === undefined)
      throw new Error('no pipes');
    [this.qmp, this.#orders, this.relay] = [qmp, orders, relay];
    for (const stream of [qmp, orders, relay]) stream.on('error', () => undefined);
    this.connected = new Promise((resolve) => {
      createInterface({ input: orders }).once('line', (line) =>
        resolve(line === '0' ? {} : { errno: Number(line) }),
      );
    });
  }

  /** Has it become that program. */
  become(argv: readonly string[]): void {
    this.#orders.write(`${argv.join('\0')}\n`);
  }
}

export interface VmOptions {
  readonly machine: Machine;
  readonly switches: Switches & Host;
  readonly launcher: Launcher;
  readonly initrd: string;
  /** There is a connection to a network. */
  readonly isConnected: boolean;
}

export class Vm {
  readonly #options: VmOptions;
  readonly #changed: (() => void)[] = [];
  #state: State = 'Stopped';
  #control: Control | undefined;
  #isRelayed = false;
  #isDeaf = false;
  #ports: Promise<ReadonlyMap<number, number>> | undefined;

  constructor(options: VmOptions) {
    this.#options = options;
  }

  get state(): State {
    return this.#state;
  }

  /** Settles when that is so of the state. */
  async until(isSo: (state: State) => boolean): Promise<void> {
    while (!isSo(this.#state))
      await new Promise<void>((resolve) => this.#changed.push(() => resolve()));
  }

  /**
   * Running, or an end of QEMU before that. QEMU begins halted: a guest that is off after three instructions would else end QEMU before
   * that has said a word.
   */
  async start(): Promise<boolean> {
    const { launcher, switches } = this.#options;
    this.#set('Starting');
    const control = (this.#control = new Control(launcher.qmp));
    launcher.relay.on('data', () => (this.#isRelayed = true));
    const ended = new Promise<void>((resolve) =>
      launcher.process.once('exit', () => {
        this.#set(this.#state === 'Error' ? 'Error' : 'Stopped');
        resolve();
      }),
    );
    launcher.become(qemuArgv(this.#options));
    await control.ask('query-status', {});
    // A channel that has ended is the end of QEMU, which may be heard of later.
    if (control.isClosed) await ended;
    if (this.#state !== 'Starting') return false;
    if (switches.neverRuns === true) return true;
    this.#set('Running');
    void control.ask('cont', {});
    return true;
  }

  /** A start that the framework never answers: nothing but a signal that cannot be caught ends it. */
  async hang(): Promise<void> {
    this.#set('Starting');
    await new Promise(() => undefined);
  }

  /** The power button. */
  requestStop(): void {
    if (!this.#isDeaf) void this.#control?.ask('system_powerdown', {});
  }

  async stop(): Promise<void> {
    const { process } = this.#options.launcher;
    if (process.exitCode !== null || process.signalCode !== null) return;
    this.#set('Stopping');
    process.kill('SIGKILL');
    await this.until((state) => state === 'Stopped');
  }

  async pause(): Promise<void> {
    this.#set('Pausing');
    await this.#control?.ask('stop', {});
    this.#set('Paused');
  }

  async resume(): Promise<void> {
    this.#set('Resuming');
    await this.#control?.ask('cont', {});
    this.#set('Running');
  }

  beDeaf(isDeaf: boolean): void {
    this.#isDeaf = isDeaf;
  }

  /** The framework's own fault, of which no reason is told. */
  fail(): void {
    this.#set('Error');
    this.#options.launcher.process.kill('SIGKILL');
  }

  /** This host's port that leads to a vsock port: QEMU chose it. Before the relay listens, slirp would hold a connection for seconds. */
  async portOf(vsock: number): Promise<number | undefined> {
    if (!this.#isRelayed || this.#control === undefined) return undefined;
    this.#ports ??= this.#control
      .ask('human-monitor-command', { 'command-line': 'info usernet' })
      .then(forwardedPorts);
    return (await this.#ports).get(relayPorts.get(vsock) ?? 0);
  }

  #set(state: State): void {
    if (this.#state === state) return;
    this.#state = state;
    for (const tell of this.#changed.splice(0)) tell();
  }
}

/**
 * No -no-reboot: a guest's reboot is one in place. One processor, however many are asked for: QEMU 7.2 loses a boot now and then to a
 * race between several. No serial port but those of the words: arm64 has its first line where virtio-console comes up.
 */
function qemuArgv({ machine, switches, initrd, isConnected }: VmOptions): string[] {
  const isArm = switches.arch === 'arm64';
  const { devices } = machine;
  const forwards = [...relayPorts.values()].map(
    (port) => `,hostfwd=tcp:127.0.0.1:0-${relayAddress}:${port}`,
  );
  return [
    isArm ? 'qemu-system-aarch64' : 'qemu-system-x86_64',
    '-S',
    '-nodefaults',
    '-no-user-config',
    '-display',
    'none',
    ...(switches.reboot === 'ends' ? ['-no-reboot'] : []),
    '-machine',
    isArm ? 'virt,gic-version=max' : 'pc',
    '-accel',
    'tcg',
    '-cpu',
    isArm ? 'max,pauth-impdef=on' : 'max,-cx16,-erms',
    '-smp',
    '1',
    '-m',
    String(machine.memoryMiB),
    '-kernel',
    machine.kernel,
    '-initrd',
    initrd,
    '-append',
    machine.cmdline,
    '-chardev',
    'socket,id=qmp,fd=3',
    '-mon',
    'chardev=qmp,mode=control',
    '-device',
    'virtio-serial-pci',
    ...devices.flatMap((device, n) => deviceArgv(device, n, isConnected)),
    // The last console: the relay says here that it listens.
    '-chardev',
    'socket,id=relay,fd=5',
    '-device',
    'virtconsole,chardev=relay',
    '-netdev',
    `user,id=relay,restrict=on,net=10.99.0.0/24${forwards.join('')}`,
    '-device',
    `virtio-net-pci,netdev=relay,mac=${relayMac},romfile=`,
  ];
}

/** Where the relay says that it listens. */
export const relayConsole = ({ devices }: Machine): string =>
  `/dev/hvc${devices.filter(({ kind }) => kind === 'serial').length}`;

function deviceArgv(device: Device, n: number, isConnected: boolean): string[] {
  switch (device.kind) {
    case 'serial':
      return [
        '-chardev',
        // Not for appending: the writer keeps its own place, whatever a reader does to the file.
        device.log === undefined
          ? `null,id=serial${n}`
          : `file,id=serial${n},path=${quote(device.log)}`,
        '-device',
        `virtconsole,chardev=serial${n}`,
      ];
    case 'net': {
      const mac = device.mac === undefined ? '' : `,mac=${device.mac}`;
      const net = isConnected
        ? `dgram,id=net,local.type=fd,local.str=${cardFd}`
        : // A card that nobody hears, or the framework's own network.
          device.socket === undefined
          ? 'user,id=net'
          : 'hubport,id=net,hubid=0';
      return ['-netdev', net, '-device', `virtio-net-pci,netdev=net${mac},romfile=`];
    }
    case 'disk': {
      const readOnly = device.readOnly ? ',readonly=on' : '';
      const name = device.deviceId === '' ? '' : `,serial=${quote(device.deviceId)}`;
      const type = {
        'virtio-blk': 'virtio-blk-pci',
        nvme: 'nvme',
        'usb-mass-storage': 'usb-storage',
      };
      const serial = device.type === 'nvme' ? `,serial=nvme${n}` : name;
      return [
        // The lock is the framework's (flock), which a QEMU on a Mac does not heed; this one's would keep others out that vfkit lets in.
        '-drive',
        `file=${quote(device.path)},file.locking=off,if=none,id=disk${n},format=raw${readOnly}`,
        '-device',
        `${type[device.type]},drive=disk${n}${serial}`,
      ];
    }
    case 'plain':
      return device.type === 'virtio-rng' || device.type === 'virtio-balloon'
        ? ['-device', `${device.type}-pci`]
        : [];
    default:
      return [];
  }
}

/** In QEMU's option lists a comma ends a value; a doubled one is a comma. */
const quote = (text: string): string => text.replaceAll(',', ',,');
