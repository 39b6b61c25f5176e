import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fenceMessages, fenceRules } from '../../src/guest/agent/fence.ts';
import {
  guestNixConf,
  seedArchive,
  writeInitrd,
  type Seed,
} from '../../src/guest/identity/seed.ts';
import { cpioArchive, S_IFREG } from '../../src/system/cpio.ts';
import { Failed } from '../../src/system/failure.ts';
import { readCpio, readInitrd } from '../fakes/kernel-initrd.ts';
import { saying } from '../fakes/saying.ts';
import { removeTree } from '../remove-tree.ts';

const seed: Seed = {
  hostName: 'nix-linuxkit',
  timeS: 1_767_323_045.9,
  address: '10.0.2.15/24',
  gateway: '10.0.2.2',
  nameservers: ['10.0.2.3', '1.1.1.1'],
  vm: 'qemu',
  agent: 'virtio',
  ssh: 'network',
  builderKeys: ['ssh-ed25519 AAAA builder'],
  rootKeys: ['ssh-ed25519 BBBB root', 'ssh-ed25519 CCCC'],
  hostKey: { private: '-----BEGIN-----\nx\n-----END-----', public: 'ssh-ed25519 DDDD host' },
  fence: fenceRules({ address: '10.0.2.15/24', nameservers: [], hostPorts: [], lan: true }),
  nixConf: guestNixConf({
    maxJobs: 2,
    coresPerJob: 3,
    diskGiB: 80,
    features: ['big-parallel', 'benchmark'],
  }),
};
const read = (some: Seed) => readCpio(Buffer.from(seedArchive(some)), 0).entries;

describe('seedArchive', () => {
  test('holds what the contract names, private, the folder first and the end last', () => {
    const entries = read(seed);
    expect(entries[0]).toMatchObject({ path: 'seed', mode: 0o040700 });
    expect(entries.slice(1).every(({ mode }) => mode === 0o100600)).toBe(true);
    expect(entries.slice(1).map(({ path, text }) => [path, text])).toEqual([
      [
        'seed/settings',
        "HOST_NAME='nix-linuxkit'\nTIME='1767323045'\nADDRESS='10.0.2.15/24'\nGATEWAY='10.0.2.2'\n" +
          "NAMESERVERS='10.0.2.3 1.1.1.1'\nFENCE='2'\nVM='qemu'\nAGENT='virtio'\nSSH='network'\n",
      ],
      ['seed/authorized_keys.builder', 'ssh-ed25519 AAAA builder\n'],
      ['seed/authorized_keys.root', 'ssh-ed25519 BBBB root\nssh-ed25519 CCCC\n'],
      ['seed/ssh_host_ed25519_key', '-----BEGIN-----\nx\n-----END-----\n'],
      ['seed/ssh_host_ed25519_key.pub', 'ssh-ed25519 DDDD host\n'],
      [
        'seed/nix.conf',
        'max-jobs = 2\ncores = 3\nsystem-features = big-parallel benchmark\n' +
          'min-free = 2147483648\nmax-free = 8589934592\n',
      ],
      ['seed/fence', fenceMessages(seed.fence).toString('utf8')],
      ['seed/end', 'ok\n'],
    ]);
  });

  test('settings mean to sh what they meant to us', () => {
    const odd = { ...seed, hostName: 'a $(touch /x) `b` "c" \\ #d;', mac: '5a:94:ef:e4:0c:ee' };
    const text = read(odd)[1]?.text ?? '';
    const shown = execFileSync('sh', ['-c', `${text}printf '%s|%s' "$HOST_NAME" "$MAC"`]);
    expect(shown.toString()).toBe(`${odd.hostName}|${odd.mac}`);
  });

  test.each(["o'clock", 'two\nlines', 'nul\0', 'cr\r'])('refuses the setting %j', (hostName) => {
    expect(() => seedArchive({ ...seed, hostName })).toThrow('HOST_NAME');
  });

  test('refuses a key that would be two', () => {
    const builderKeys = ['ssh-ed25519 AAAA\nssh-ed25519 EVIL'];
    expect(() => seedArchive({ ...seed, builderKeys })).toThrow('EVIL');
  });
});

// Behaviour 133: The guest's Nix itself deletes old store paths, even during a build, as soon as the free space falls
// below a tenth of the disk or 2 GiB, whichever is less.
test.each([
  [80, 2, 8],
  [16, 1.6, 4],
  [2, 0.2, 0.5],
])('a disk of %i GiB is kept %d GiB free, by deleting up to %d', (diskGiB, least, most) => {
  const text = guestNixConf({ maxJobs: 1, coresPerJob: 1, features: [], diskGiB });
  const bytes = (name: string) => Number(new RegExp(`^${name} = (\\d+)$`, 'm').exec(text)?.[1]);
  expect(bytes('min-free')).toBe(Math.floor(least * 1024 ** 3));
  expect(bytes('max-free')).toBe(Math.floor(most * 1024 ** 3));
});

describe('writeInitrd', () => {
  let dir: string;
  beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'seed-'))));
  afterEach(() => removeTree(dir));
  const paths = () => ({ base: join(dir, 'base'), target: join(dir, 'initrd') });

  const packers = {
    gz: (bytes: Uint8Array) => gzipSync(bytes),
    xz: (bytes: Uint8Array) => execFileSync('xz', ['-c', '--check=crc32'], { input: bytes }),
    zst: (bytes: Uint8Array) => execFileSync('zstd', ['-qc'], { input: bytes }),
    none: (bytes: Uint8Array) => Buffer.from(bytes),
  };

  test.each(Object.keys(packers) as (keyof typeof packers)[])(
    'the kernel finds base and seed behind a base packed with %s of every length modulo 4',
    (packer) => {
      const { base, target } = paths();
      const seen = new Set<number>();
      for (let n = 0; seen.size < 4 && n < 200; n++) {
        const data = Buffer.from('0123456789abcdefghijklmnopqrstuvwxyz'.repeat(8).slice(0, n));
        const packed = packers[packer](cpioArchive([{ path: 'init', mode: S_IFREG, data }]));
        // These two end on a multiple of 4 by themselves, but other tools leave zeros behind them.
        const zeros = packer === 'xz' || packer === 'none' ? n : 0;
        const bytes = Buffer.concat([packed, Buffer.alloc(zeros)]);
        if (seen.has(bytes.length % 4)) continue;
        seen.add(bytes.length % 4);
        writeFileSync(base, bytes);
        writeInitrd({ base, target, seed });
        const paths = readInitrd(readFileSync(target), packed.length).map(({ path }) => path);
        expect(paths).toEqual(['init', ...read(seed).map(({ path }) => path)]);
      }
      expect(seen.size).toBe(4);
    },
  );

  test('without the padding the same reader refuses, as the kernel does', () => {
    const base = gzipSync(cpioArchive([{ path: 'init', mode: S_IFREG }]));
    const odd = base.length % 4 === 0 ? Buffer.concat([base, Buffer.alloc(1)]) : base;
    expect(() => readInitrd(Buffer.concat([odd, seedArchive(seed)]), base.length)).toThrow(
      'invalid magic',
    );
  });

  test('is private, replaces the last one whole, leaves the base and no rest', () => {
    const { base, target } = paths();
    writeFileSync(base, cpioArchive([]));
    chmodSync(base, 0o444);
    writeFileSync(target, 'old', { mode: 0o644 });
    writeFileSync(`${target}.new`, 'left by a start that was killed', { mode: 0o400 });
    writeInitrd({ base, target, seed });
    expect(statSync(target).mode & 0o777).toBe(0o600);
    expect(statSync(base).size).toBe(512);
    expect(readdirSync(dir).sort()).toEqual(['base', 'initrd']);
  });

  test.each([
    ['no base', () => undefined],
    ['an empty base', (base: string) => writeFileSync(base, '')],
  ])('%s is a named failure and the last initrd stays', (_, prepare) => {
    const { base, target } = paths();
    prepare(base);
    writeFileSync(target, 'old');
    expect(failure(() => writeInitrd({ base, target, seed }))).toMatchObject({
      kind: 'image-missing',
      hint: saying('linuxkit-builder image build'),
    });
    expect(readFileSync(target, 'utf8')).toBe('old');
  });

  test('a target that cannot be written is a named failure', () => {
    const { base } = paths();
    writeFileSync(base, cpioArchive([]));
    const target = join(dir, 'missing', 'initrd');
    expect(failure(() => writeInitrd({ base, target, seed })).kind).toBe('cannot-write');
  });
});

function failure(fn: () => void) {
  try {
    fn();
  } catch (error) {
    if (error instanceof Failed) return error.failure;
    throw error;
  }
  throw new Error('nothing was thrown');
}
