/** What can be wrong with the lock, a package and the making of an image; and what a build says on its way. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { unpacking } from '../../src/image/build.ts';
import { checkFloors, checkRequested, otherTool } from '../../src/image/check-lock.ts';
import { debControl, debEntries } from '../../src/image/debian/deb.ts';
import { readLock, type Lock } from '../../src/image/image-lock.ts';
import { recipe } from '../../src/image/recipe.ts';
import { describeChange, resolvedOrThrow } from '../../src/image/supply.ts';
import { changed, incomplete } from '../../src/image/tree/assemble.ts';
import { broken as archiveBroken, noZstd } from '../../src/image/tree/decompress.ts';
import { missing as moduleMissing } from '../../src/image/tree/modules.ts';
import { squashfsFault } from '../../src/image/tree/squashfs-check.ts';
import { faultyOutput, failed, stalled } from '../../src/image/tree/squashfs.ts';
import { missing, unfit } from '../../src/image/tree/squashfs-tool.ts';
import { collision, danglingLink } from '../../src/image/tree/tree.ts';
import { describeRenewal, stepBack } from '../../src/image/update.ts';
import { answered } from '../../src/image/mirror/mirror-failure.ts';
import { parsePackageIndex } from '../../src/image/debian/package-index.ts';
import { ar, fakeTar } from '../fakes/fake-deb.ts';
import { directoryShownAs, type States } from './tell.ts';

const tree = directoryShownAs('/make');
const located = (name: string, version: string) => ({
  name,
  version,
  suite: 'trixie',
  filename: `pool/${name}.deb`,
  sha256: 'aaaa',
  size: 1,
});
const suites = (indexDate: string, expired?: string): Lock['suites'] => [
  { codename: 'trixie', archive: 'main', indexDate, ...(expired === undefined ? {} : { expired }) },
];
function lockOf(
  packages: readonly ReturnType<typeof located>[],
  all = suites('2026-01-01T00:00:00Z'),
): Lock {
  const of = { requested: recipe.packages('amd64'), packages: [...packages] };
  return {
    version: 2,
    suites: all,
    without: [...recipe.without],
    squashfs: { tool: 'mksquashfs', version: '4.6.1', options: [] },
    architectures: {
      amd64: { ...of, requested: [...of.requested] },
      arm64: { ...of, requested: [] },
    },
  };
}
const lockAt = (name: string, text: string | undefined) => () => {
  const path = join(tree, name);
  if (text !== undefined) writeFileSync(path, text);
  return readLock(path);
};
const empty = lockOf([]);
const build = (lock: Lock) => ({ lock, arch: 'amd64', recipe }) as const;
const tool = (version: string) => ({ tool: 'mksquashfs', version, options: [] });

export const locks: States = {
  'there is none': lockAt('none.json', undefined),
  'it has another format': lockAt('old.json', '{"version": 9}'),
  'it asks for other packages': () => checkRequested({ ...build(empty), arch: 'arm64' }),
  'its packages are too old': () => checkFloors(build(lockOf([located('nix-bin', '2.26.3')]))),
  'it was made with another mksquashfs': () => otherTool(tool('4.5.1'), tool('4.6.1')),
  'a package is not on the mirror any more': () =>
    describeChange(
      [located('nix-bin', '2.34.5')],
      [located('nix-bin', '2.34.6'), located('libnix', '2.34.6')],
      answered('https://mirror.example/debian/pool/nix-bin.deb', 404).failure,
    ),
  'it would have older packages': () =>
    stepBack(
      [{ codename: 'trixie-security', archive: 'security', indexDate: '2026-01-01T00:00:00Z' }],
      ['linux-image-cloud-amd64 6.12.117-1 (was 6.12.118-1)'],
    ),
  'it is new': () => describeRenewal(undefined, empty),
  'it is renewed': () =>
    describeRenewal(
      lockOf([located('nix-bin', '2.34.5')]),
      lockOf(
        [located('nix-bin', '2.34.6')],
        suites('2026-02-01T00:00:00Z', '2026-01-20T00:00:00Z'),
      ),
    ),
  'it is renewed, and nothing is new': () => describeRenewal(empty, empty),
};

const index = (text: string) => parsePackageIndex(text, 'trixie');
const entry = (name: string, more = '') =>
  `Package: ${name}\nVersion: 1\nFilename: pool/${name}.deb\nSHA256: ${'a'.repeat(64)}\nSize: 1\n${more}\n`;
const resolve = (text: string, requested: readonly string[]) =>
  resolvedOrThrow({
    requested,
    without: [],
    from: {},
    floors: [],
    releases: [{ name: 'trixie', index: index(text) }],
  });

const debOf = (data: Buffer) =>
  ar({ 'debian-binary': Buffer.from('2.0\n'), 'data.tar.gz': gzipSync(data) });
const entries = (deb: Uint8Array) => debEntries(deb, { name: 'nix-bin', want: () => true });
async function device(): Promise<Buffer> {
  const tar = pack();
  tar.entry({ name: './dev/null', type: 'character-device' });
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks);
}

export const packages: States = {
  'one is missing from the mirror’s list': () => resolve(entry('a'), ['b']),
  'two exclude each other': () => resolve(entry('a', 'Conflicts: b\n') + entry('b'), ['a', 'b']),
  'one is no archive': () => entries(Buffer.from('text')),
  'one has a broken header': () => entries(Buffer.from(`!<arch>\n${'x'.repeat(60)}`)),
  'one has no data': () => entries(ar({ 'debian-binary': Buffer.from('2.0\n') })),
  'one does not say what it is': async () =>
    debControl(ar({ 'control.tar.gz': gzipSync(await fakeTar({ other: '' })) }), 'nix-bin'),
  'one has a path that leads out': async () =>
    entries(debOf(await fakeTar({ 'usr/../../x': 'y' }))),
  'one has a device': async () => entries(debOf(await device())),
  'one was changed on the disk': () => changed('nix-bin', '/cache/aaaa'),
  'none has a file that is needed': () => incomplete('usr/bin/nix'),
  'two have the same file': () => collision('usr/bin/nix', 'nix-bin', 'lix'),
  'one has a link to what is left out': () => danglingLink('usr/bin/nix', 'usr/bin/lix', 'nix-bin'),
  'one cannot be unpacked': () => archiveBroken('nix-bin', 'xz: Compressed data is corrupt'),
  'one is compressed with zstd': () => noZstd('nix-bin'),
  'the kernel has not a module': () => moduleMissing('virtio_blk', []),
  'the kernel has not a module of a module': () => moduleMissing('virtio', ['virtio_blk']),
};

/** A superblock of squashfs: version 4, by default lz4, so many bytes and inodes. */
function superblock({ magic = 0x73717368, method = 5, bytes = 96, inodes = 2 }): Buffer {
  const block = Buffer.alloc(96);
  block.writeUInt32LE(magic, 0);
  block.writeUInt32LE(inodes, 4);
  block.writeUInt16LE(method, 20);
  block.writeUInt16LE(4, 28);
  block.writeBigUInt64LE(BigInt(bytes), 40);
  return block;
}
const output = (name: string, content: Buffer | undefined) => () => {
  const path = join(tree, name);
  if (content !== undefined) writeFileSync(path, content);
  return faultyOutput(squashfsFault(path, 2) ?? '');
};

export const making: States = {
  'the root file system is built': () => unpacking(83),
  'mksquashfs is not installed': missing,
  'mksquashfs is too old': () => unfit('4.4', failed(['Invalid option'])),
  'mksquashfs does not know lz4': () => unfit('4.6.1', failed(['Compressor lz4 unknown'])),
  'mksquashfs hangs': () => stalled(120_000),
  'mksquashfs fails': () => failed(['FATAL ERROR: Write failed']),
  'mksquashfs makes nothing': output('nothing', undefined),
  'mksquashfs makes something else': output('other', superblock({ magic: 1 })),
  'mksquashfs compresses in another way': output('method', superblock({ method: 1 })),
  'mksquashfs stops early': output('short', superblock({ bytes: 4096 })),
  'mksquashfs leaves a file out': output('fewer', superblock({ inodes: 1 })),
};
