/** Packages + our own files -> kernel and initrd. Two packages are unpacked at a time while a third is being packed. */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256 } from '../../system/digest.ts';
import type { Clock } from '../../system/time/clock.ts';
import { Exit, Failed } from '../../system/failure.ts';
import { debEntries } from '../debian/deb.ts';
import { cachedPath } from '../http/cached-file.ts';
import type { Entry } from './entry.ts';
import { makeInitrd } from './initrd.ts';
import { bootable, unpackedKernel } from './kernel.ts';
import { loadOrder, numberedName, type LoadableModule } from './modules.ts';
import { overlayEntries } from './overlay.ts';
import type { Located } from '../debian/package-index.ts';
import type { RootPart } from '../../vm/boot-image.ts';
import { collectParts, isPart, noParts, type Parts } from './parts.ts';
import { isKept, type Arch, type Recipe } from '../recipe.ts';
import { makeSquashfs } from './squashfs.ts';
import { Tree, usrLinks, type Package } from './tree.ts';
import { advice, ours } from '../../system/advice.ts';

interface AssembleOptions {
  readonly arch: Arch;
  readonly recipe: Recipe;
  /** Folder with initrd/, root/ and modes.json. */
  readonly rootfs: string;
  readonly packages: readonly Located[];
  /** Where the packages are, by hash. */
  readonly downloads: string;
  /** The time of every file in the image. */
  readonly time: Date;
  /** An empty directory for what is only needed on the way. */
  readonly scratch: string;
  readonly clock: Clock;
  readonly signal?: AbortSignal;
}

/** The files of an image, and what is known of them. */
export interface Assembled {
  readonly kernel: Uint8Array;
  readonly kernelVersion: string;
  /** The same kernel as {@link unpackedKernel} has it. */
  readonly unpacked: Uint8Array | undefined;
  readonly initrd: Uint8Array;
  /** Where the root is in it. */
  readonly root: RootPart;
}

/** Makes the image in memory, its root by way of a squashfs file in the scratch directory. */
export async function assemble(options: AssembleOptions): Promise<Assembled> {
  const { recipe, rootfs, scratch, signal } = options;
  const parts = noParts();
  const squashfs = join(scratch, 'root.squashfs');
  await makeSquashfs(rootEntries(options, parts), squashfs, options.time, options);
  const { kernel, busybox } = parts;
  if (kernel === undefined) throw incomplete('boot/vmlinuz-VERSION');
  if (busybox === undefined) throw incomplete('usr/bin/busybox');
  const { bytes: initrd, root } = makeInitrd({
    overlay: overlayEntries(rootfs, 'initrd'),
    busybox,
    modules: await loadOrder(recipe.stage1Modules, parts, signal),
    squashfs: await readFile(squashfs),
  });
  return {
    kernel: await bootable(kernel.data, options.arch, signal),
    kernelVersion: kernel.release,
    unpacked: await unpackedKernel(kernel.data, options.arch, signal),
    initrd,
    root,
  };
}

/** Everything in the root, in an order that only the inputs decide; fills parts on the way. */
async function* rootEntries(options: AssembleOptions, parts: Parts): AsyncGenerator<Entry> {
  const { recipe, rootfs, signal } = options;
  const tree = new Tree();
  yield* tree.own(usrLinks(['bin', 'sbin', 'lib', ...(options.arch === 'amd64' ? ['lib64'] : [])]));
  yield* tree.own(overlayEntries(rootfs, 'root'));
  for await (const each of unpacked(options)) {
    collectParts(each.entries, parts);
    yield* tree.package(each, (path) => isKept(recipe, path));
  }
  yield* tree.own([certificateBundle(parts)]);
  for (const [folder, names] of [
    ['modules', recipe.rootModules],
    ['vsock', recipe.vsockModules ?? []],
  ] as const) {
    const modules = await loadOrder(names, parts, signal);
    yield* tree.own(modules.map((module, index) => moduleEntry(folder, module, index)));
  }
}

/** The packages in their order, each unpacked while the one before is being used. */
async function* unpacked(options: AssembleOptions): AsyncGenerator<Package> {
  const ahead: Promise<Package>[] = [];
  for (const next of [...options.packages, ...lookAhead]) {
    if (next !== undefined) ahead.push(unpack(next, options));
    // Awaited in its turn; a failure before that is no unhandled one.
    ahead.at(-1)?.catch(() => undefined);
    if (next === undefined || ahead.length > lookAhead.length) {
      const first = ahead.shift();
      if (first !== undefined) yield await first;
    }
  }
}

const lookAhead = [undefined, undefined];

/** One package's entries; its bytes are checked once more, as they are used. */
async function unpack(located: Located, options: AssembleOptions): Promise<Package> {
  const { name, sha256: wanted } = located;
  const path = cachedPath(options.downloads, wanted);
  const deb = await readFile(path);
  if (sha256(deb) !== wanted) {
    await rm(path, { force: true });
    throw changed(name, path);
  }
  const want = (file: string) => isKept(options.recipe, file) || isPart(file);
  const entries = await debEntries(deb, {
    name,
    want,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  return { name, entries };
}

/** What update-ca-certificates would have made. */
const certificateBundle = ({ certificates }: Parts): Entry => ({
  kind: 'file',
  path: 'etc/ssl/certs/ca-certificates.crt',
  mode: 0o644,
  data: Buffer.concat(
    [...certificates].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, data]) => data),
  ),
});

const moduleEntry = (folder: string, { name, data }: LoadableModule, index: number): Entry => ({
  kind: 'file',
  path: `usr/lib/linuxkit-builder/${folder}/${numberedName(index, name)}`,
  mode: 0o644,
  data,
});

/** `path`: a file that one of the packages should have. */
export const incomplete = (path: string): Failed =>
  new Failed({
    kind: 'package-set-incomplete',
    message: `No package contains ${path}.`,
    hint: advice`The lock does not match this version. Update it: ${ours('image build', '--update')}`,
    exit: Exit.dataError,
  });

/** It had its hash when it was fetched. `path`: what was deleted. */
export const changed = (name: string, path: string): Failed =>
  new Failed({
    kind: 'download-wrong-hash',
    message: `The package ${name} was changed on disk after its download (${path}), so it was deleted.`,
    hint: 'Run the same command again.',
    exit: Exit.dataError,
  });
