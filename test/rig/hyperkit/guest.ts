/** The guest of the stand-in: the real one, run by QEMU with HyperKit's devices (legacy virtio on a PC). */
import { spawn, spawnSync } from 'node:child_process';
import { constants, openSync, rmSync, unlinkSync } from 'node:fs';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex, Readable } from 'node:stream';
import { Control } from '../qmp-control.ts';
import type { Machine } from './command-line.ts';

export interface Guest {
  readonly serial: Readable;
  /** QEMU's framing: u32, big-endian. */
  readonly frames: Duplex;
  /** Settles when QEMU is gone: what the guest did, or undefined when QEMU itself failed. */
  readonly ended: Promise<'powered-off' | 'reset' | undefined>;
  /** The relay inside listens: before that, slirp would hold a connection for seconds where vsock refuses it at once. */
  isRelayed(): boolean;
  hmp(command: string): Promise<string>;
  powerButton(): void;
  kill(): void;
}

export interface Disk {
  readonly path: string;
  readonly isReadOnly: boolean;
}

export interface GuestOptions {
  readonly machine: Machine;
  readonly disk: Disk;
  readonly initrd: string;
  readonly mac: string;
  /** TCP ports of the relay inside the guest that get a port of this host. */
  readonly relayPorts: readonly number[];
}

export const relayMac = '52:54:00:72:69:67';
const relayAddress = '10.99.0.15';
const asIs = (hex: number) => `0x${hex.toString(16)}`;

/** No reboot: QEMU ends, as HyperKit does. All channels are inherited, so that nothing is left in the file system. */
export function startGuest({ machine, disk, initrd, mac, relayPorts }: GuestOptions): Guest {
  const console = openConsole();
  const virtio = (name: string, slot: number, options = '') =>
    `${name},disable-modern=on,addr=${asIs(slot)}${options}`;
  const forwards = relayPorts.map((port) => `,hostfwd=tcp:127.0.0.1:0-${relayAddress}:${port}`);
  const argv = [
    '-nodefaults',
    '-no-user-config',
    '-no-reboot',
    '-display',
    'none',
    '-machine',
    machine.hasAcpi ? 'pc' : 'pc,acpi=off',
    // One processor, however many are asked for: QEMU 7.2 loses a boot now and then to a race between several.
    '-accel',
    'tcg',
    '-cpu',
    'max,-cx16,-erms',
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
    `file,id=serial,path=${console.path}`,
    '-serial',
    'chardev:serial',
    // The relay says here that it listens.
    '-chardev',
    'socket,id=relay,fd=5',
    '-serial',
    'chardev:relay',
    '-chardev',
    'socket,id=qmp,fd=3',
    '-mon',
    'chardev=qmp,mode=control',
    '-netdev',
    'stream,id=net,server=off,addr.type=fd,addr.str=4',
    '-device',
    virtio('virtio-net-pci', 4, `,netdev=net,mac=${mac},romfile=`),
    '-drive',
    // The lock is HyperKit's own (flock): QEMU's would keep others out that HyperKit lets in.
    `file=${disk.path},file.locking=off,if=none,id=disk,format=raw${disk.isReadOnly ? ',readonly=on' : ''}`,
    '-device',
    virtio('virtio-blk-pci', 5, ',drive=disk'),
    '-device',
    virtio('virtio-rng-pci', 6),
    '-netdev',
    `user,id=relay,restrict=on,net=10.99.0.0/24${forwards.join('')}`,
    '-device',
    virtio('virtio-net-pci', 30, `,netdev=relay,mac=${relayMac},romfile=`),
  ];
  // It must not outlive us, however we end.
  const qemu = spawn('setpriv', ['--pdeathsig', 'KILL', 'qemu-system-x86_64', ...argv], {
    stdio: ['ignore', 'ignore', 'inherit', 'pipe', 'pipe', 'pipe'],
    // Signals to our group are for HyperKit, which is one process.
    detached: true,
    env: { PATH: '/usr/bin:/bin' },
  });
  const [, , , qmp, frames, relay] = qemu.stdio as unknown as [
    null,
    null,
    null,
    Duplex,
    Duplex,
    Duplex,
  ];
  const control = new Control(qmp);
  void control.ask('query-status', {}).then(() => unlinkSync(console.path));
  for (const stream of [console.stream, frames, relay]) stream.on('error', () => undefined);
  let isRelayed = false;
  relay.once('data', () => (isRelayed = true));
  return {
    isRelayed: () => isRelayed,
    serial: console.stream,
    frames,
    ended: new Promise((resolve) => {
      // Its last word may still be unread when its end is heard of.
      qemu.once('exit', () => void control.closed.then(() => resolve(control.end)));
      qemu.once('error', () => resolve(undefined));
    }),
    hmp: (line) => control.ask('human-monitor-command', { 'command-line': line }),
    powerButton: () => void control.ask('system_powerdown', {}),
    kill: () => void qemu.kill('SIGKILL'),
  };
}

/**
 * The serial port's bytes come one at a time. A pipe keeps 64 KiB of them, a socket a few hundred; QEMU throws away what finds
 * no room. Open for both ways, it has no end before QEMU has opened it.
 */
function openConsole(): { readonly path: string; readonly stream: Socket } {
  const path = join(tmpdir(), `hyperkit-console-${process.pid}`);
  rmSync(path, { force: true });
  spawnSync('mkfifo', ['-m', '600', path], { env: { PATH: '/usr/bin:/bin' } });
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  return { path, stream: new Socket({ fd, readable: true, writable: false }) };
}
