/** The image in a VM of a test's own, without a daemon: for what a daemon would never let happen. */
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'vitest';
import { writeInitrd, type Seed } from '../../src/guest/identity/seed.ts';
import { reapAfterUs } from '../rig/reaper.ts';
import { Command, fact } from './command.ts';
import { testImage } from './rig.ts';
import { removeTree } from '../remove-tree.ts';

/** The guests of one test, in a directory that goes away with them. */
export class BareGuests implements AsyncDisposable {
  readonly dir = mkdtempSync(join(tmpdir(), 'lk-bare-'));
  readonly #guests: BareGuest[] = [];

  constructor(context: Pick<TestContext, 'onTestFailed' | 'onTestFinished'>) {
    reapAfterUs(this.dir);
    context.onTestFailed(() => console.error(this.#report));
    context.onTestFinished(() => this[Symbol.asyncDispose]());
  }

  #report: string | undefined;

  boot(hardware: Hardware = {}): BareGuest {
    const guest = new BareGuest(join(this.dir, `${this.#guests.length}`), hardware);
    this.#guests.push(guest);
    return guest;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#report ??= this.#guests.map((guest) => guest.report()).join('\n');
    for (const guest of this.#guests) await guest.kill();
    removeTree(this.dir);
  }
}

export interface Hardware {
  /** A raw disk; none by default. */
  readonly disk?: string;
  /** Another, which the guest finds before it. */
  readonly firstDisk?: string;
  /** What the kernel is told to take for its console; that is where it is heard, whatever it is told. Default ttyS0. */
  readonly console?: string;
  /** Ten writes a second, so that whoever watches is there in time. Default false. */
  readonly isSlow?: boolean;
  /** Whether there is a network card. Default true. */
  readonly card?: boolean;
  /** Another initrd than the image's, with the seed behind it. */
  readonly initrd?: string;
  /** Only the image's initrd, without a seed. */
  readonly noSeed?: boolean;
}

export class BareGuest {
  readonly #console: string;
  readonly #qemu: Command;

  constructor(
    path: string,
    { disk, firstDisk, console = 'ttyS0', isSlow = false, card = true, ...more }: Hardware,
  ) {
    const { initrd, noSeed = false } = more;
    const base = initrd ?? `${testImage()}-initrd.img`;
    this.#console = `${path}.console`;
    if (!noSeed) writeInitrd({ base, target: `${path}.initrd`, seed });
    const cmdline = readFileSync(`${testImage()}-cmdline`, 'utf8').trim();
    this.#qemu = new Command(
      [
        'qemu-system-x86_64',
        '-nodefaults',
        '-no-reboot',
        '-display',
        'none',
        '-machine',
        'pc',
        // One CPU: no boot of hundreds is lost to QEMU 7.2's races between CPUs.
        '-accel',
        'tcg',
        '-cpu',
        'max,-cx16,-erms',
        '-smp',
        '1',
        '-m',
        '1024',
        '-kernel',
        `${testImage()}-kernel`,
        '-initrd',
        noSeed ? base : `${path}.initrd`,
        '-append',
        `${cmdline} console=${console}`,
        '-serial',
        `file:${this.#console}`,
        ...(card ? ['-nic', 'user,model=virtio-net-pci'] : []),
        ...(firstDisk === undefined ? [] : ['-drive', `file=${firstDisk},if=virtio,format=raw`]),
        ...(disk === undefined
          ? []
          : ['-drive', `file=${disk},if=virtio,format=raw,cache=writeback${isSlow ? slow : ''}`]),
      ],
      { env: { PATH: process.env['PATH'] ?? '' } },
    );
  }

  /** What it has said so far, in lines. */
  lines(): string[] {
    if (!existsSync(this.#console)) return [];
    return readFileSync(this.#console, 'utf8').replaceAll('\r', '').split('\n');
  }

  /** Waits for a line that begins like this, and returns what follows. */
  async says(start: string): Promise<string> {
    const found = await fact(`the guest says "${start}"`, () => {
      const line = this.lines().find((each) => each.startsWith(start));
      if (line === undefined && this.#qemu.end !== undefined) throw new Error('it ended before');
      return line;
    });
    return found.slice(start.length);
  }

  /** It powers itself off. */
  async ends(): Promise<number | string> {
    return this.#qemu.ended;
  }

  /** As a power cut, of the host's program only: what QEMU has handed to the host is kept. */
  async kill(): Promise<void> {
    await this.#qemu.kill();
  }

  report(): string {
    return `--- a bare guest -> ${this.#qemu.end ?? 'runs'}\n${this.#qemu.said}${this.lines().slice(-60).join('\n')}`;
  }
}

const slow = ',throttling.iops-write=10';

const seed: Seed = {
  hostName: 'bare',
  timeS: Date.now() / 1000,
  address: '10.0.2.15/24',
  gateway: '10.0.2.2',
  nameservers: ['10.0.2.3'],
  vm: 'qemu',
  agent: 'virtio',
  ssh: 'network',
  builderKeys: [],
  rootKeys: [],
  hostKey: { private: 'none', public: 'none' },
  nixConf: '',
  fence: [],
};
