import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  createReadStream,
  openSync,
  readFileSync,
  readSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { judgeDisk } from '../../src/supervisor/disk/disk.ts';
import { cpioArchive, S_IFDIR, S_IFREG } from '../../src/system/cpio.ts';
import { BareGuests, type Hardware } from './bare-guest.ts';
import { fact } from './command.ts';
import { testImage } from './rig.ts';
import { needs } from '../needs.ts';

const MiB = 1024 * 1024;
/** A bare guest is one of QEMU's PCs. */
const onPC = needs('x86-64');

test('what is missing is named, and the guest powers itself off', onPC, async (context) => {
  await using guests = new BareGuests(context);
  const disk = diskIn(guests);
  const cases = [
    [{ disk, noSeed: true }, 'seed-missing'],
    [{}, 'disk-missing'],
    [{ disk, card: false }, 'network-missing'],
  ] as const;
  for (const [hardware, failed] of cases) {
    const guest = guests.boot(hardware);
    await guest.says(`linuxkit-builder: failed=${failed} uptime=`);
    expect(await guest.ends()).toBe(0);
    expect(guest.lines().join('\n')).not.toContain('stage=disk');
  }
  expect(readFileSync(disk).every((byte) => byte === 0)).toBe(true);
});

test('a disk that is neither blank nor ours is left alone, to the byte', onPC, async (context) => {
  await using guests = new BareGuests(context);
  const others = {
    "somebody's btrfs": (fd: number) => writeSync(fd, '_BHRfS_M', 64 * 1024 + 64),
    'the last byte of the first MiB': (fd: number) => writeSync(fd, 'x', MiB - 1),
    "somebody's ext4": (fd: number) => writeSync(fd, Buffer.from([0x53, 0xef]), 0, 2, 1024 + 56),
  };
  for (const write of Object.values(others)) {
    const disk = diskIn(guests);
    const fd = openSync(disk, 'r+');
    write(fd);
    closeSync(fd);
    const before = await hashOf(disk);
    const guest = guests.boot({ disk });
    await guest.says('linuxkit-builder: failed=disk-foreign uptime=');
    expect(await guest.ends()).toBe(0);
    expect(await hashOf(disk)).toBe(before);
  }
});

// Behaviour 48: The guest finds its disk by a label, in whatever order the VM program lists the disks. If the console
// that it is told to use does not exist, it uses one that does.
test(
  'a blank disk is formatted, a killed guest’s is mended, a larger one grown, a broken one left',
  onPC,
  async (context) => {
    await using guests = new BareGuests(context);
    const disk = diskIn(guests, 512);
    const notes = async (hardware: Hardware = {}) => {
      const guest = guests.boot({ disk, ...hardware });
      await guest.says('linuxkit-builder: stage=nix ');
      await guest.kill();
      // Of the disk only: without a host key sshd ends, and is said to have been started again, if there was time for it.
      return guest.lines().flatMap((line) => /note=(disk-\S+)/.exec(line)?.[1] ?? []);
    };
    expect(await notes()).toEqual(['disk-format']);
    expect(await notes()).toEqual(['disk-check']);
    truncateSync(disk, 1024 * MiB);
    // Behind another disk, and with no console where it is told that there is one.
    const firstDisk = diskIn(guests, 1, 'first');
    expect(await notes({ firstDisk, console: 'hvc0' })).toEqual([
      'disk-check',
      'disk-check',
      'disk-grow',
    ]);
    expect(readFileSync(firstDisk).every((byte) => byte === 0)).toBe(true);

    const fd = openSync(disk, 'r+');
    // Its label and magic stay; the descriptors of its groups, which follow in the second block, are lost.
    writeSync(fd, Buffer.alloc(8 * 4096, 0xa5), 0, 8 * 4096, 4096);
    closeSync(fd);
    const guest = guests.boot({ disk });
    await guest.says('linuxkit-builder: failed=disk-broken uptime=');
    expect(await guest.ends()).toBe(0);
  },
);

// Behaviour 101: A blank disk is formatted, and is formatted again if the formatting was interrupted. A disk that
// contains anything other than a guest's data is left byte-identical.
test.for<[string, (head: Buffer) => boolean]>([
  ['nothing is there but the mark', (head) => isMarked(head) && isZero(head.subarray(512))],
  // mkfs clears it first, and writes it last.
  [
    'all but the superblock',
    (head) => !isZero(head.subarray(2048)) && isZero(head.subarray(1024, 2048)),
  ],
])(
  'a disk that was formatted only in part is formatted again: %s',
  onPC,
  async ([, isSo], context) => {
    await using guests = new BareGuests(context);
    const disk = diskIn(guests);
    const first = guests.boot({ disk, isSlow: true });
    await first.says('linuxkit-builder: note=disk-format ');
    await fact('that state', () => isSo(headOf(disk)));
    await first.kill();
    expect(isSo(headOf(disk))).toBe(true);
    expect(judgeDisk(headOf(disk))).toBe('blank');
    const again = guests.boot({ disk });
    await again.says('linuxkit-builder: stage=nix ');
    expect(again.lines().some((line) => line.includes('note=disk-format'))).toBe(true);
    expect(judgeDisk(headOf(disk))).toBe('ours');
    expect(isMarked(headOf(disk))).toBe(false);
  },
);

const isMarked = (head: Buffer): boolean => head.indexOf('linuxkit-builder formats') === 0;
const isZero = (bytes: Buffer): boolean => bytes.every((byte) => byte === 0);

function headOf(disk: string): Buffer {
  const fd = openSync(disk, 'r');
  const head = Buffer.alloc(64 * 1024);
  readSync(fd, head, 0, head.length, 0);
  closeSync(fd);
  return head;
}

test(
  'the kernel finds the seed behind bases of every compression and length',
  onPC,
  async (context) => {
    await using guests = new BareGuests(context);
    const every = [0, 1, 2, 3];
    for (const [tool, rests] of [
      [['cat'], every],
      // The length is met by the same lines of ours whatever the compression; a boot is dear.
      [
        ['gzip', '-n'],
        [1, 3],
      ],
      [
        ['zstd', '-q'],
        [2, 3],
      ],
      // By its own rules such a file, with all that may be behind it, is a multiple of 4.
      [['xz', '-C', 'crc32'], [0]],
    ] as const)
      for (const rest of rests) {
        const base = join(guests.dir, 'base');
        writeFileSync(base, baseOfLength(rest, tool));
        const guest = guests.boot({ initrd: base });
        expect(await guest.says('seed: ')).toBe('ok');
        await guest.kill();
      }
  },
);

/** A small archive whose init says what is in the seed, packed to a length that leaves this rest by 4. */
function baseOfLength(rest: number, [program, ...args]: readonly [string, ...string[]]): Buffer {
  for (let filler = 0; filler < 32; filler++) {
    const noise = createHash('sha256').update('noise').digest().subarray(0, filler);
    const input = littleArchive(noise);
    const { stdout, status } = spawnSync(program, args, { input, maxBuffer: 64 * MiB });
    expect(status, program).toBe(0);
    if (stdout.length % 4 === rest) return stdout;
    // So is an archive that is not packed; but zeros may be behind it.
    if (program === 'cat') return Buffer.concat([stdout, Buffer.alloc(rest)]);
  }
  throw new Error(`${program} made no length with rest ${rest}`);
}

const littleArchive = (filler: Buffer): Uint8Array =>
  cpioArchive([
    { path: 'bin', mode: S_IFDIR | 0o755 },
    { path: 'bin/busybox', mode: S_IFREG | 0o755, data: busybox() },
    { path: 'filler', mode: S_IFREG | 0o644, data: filler },
    {
      path: 'init',
      mode: S_IFREG | 0o755,
      data: Buffer.from(
        '#!/bin/busybox sh\nread -r word </seed/end\necho\necho "seed: $word"\nwhile :; do /bin/busybox sleep 9; done\n',
      ),
    },
  ]);

/** The image's own busybox, out of its initrd: a newc archive, uncompressed. */
function busybox(): Buffer {
  const initrd = readFileSync(`${testImage()}-initrd.img`);
  const name = 'bin/busybox\0';
  const header = initrd.indexOf(name) - 110;
  const size = Number.parseInt(initrd.toString('latin1', header + 54, header + 62), 16);
  const begin = Math.ceil((header + 110 + name.length) / 4) * 4;
  return initrd.subarray(begin, begin + size);
}

/** A sparse disk of zeros. */
function diskIn(guests: BareGuests, sizeMiB = 256, name = 'disk'): string {
  const disk = join(guests.dir, name);
  writeFileSync(disk, '');
  truncateSync(disk, sizeMiB * MiB);
  return disk;
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
