/** `image build`: lock -> packages -> image, in one go and only where something changed. */
import { mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Failed } from '../system/failure.ts';
import { makeDirectory } from '../system/files/files.ts';
import {
  bundleAt,
  bundleFiles,
  checkBootImage,
  readManifest,
  type BootImage,
  type Manifest,
} from '../vm/boot-image.ts';
import { assemble, type Assembled } from './tree/assemble.ts';
import { sha256 } from '../system/digest.ts';
import { checkFloors, checkRequested, otherTool, sameTool } from './check-lock.ts';
import { inputsOf, type Inputs } from './inputs.ts';
import { newestIndex, type Lock } from './image-lock.ts';
import type { Arch, Recipe } from './recipe.ts';
import { findSquashfsTool, type SquashfsTool } from './tree/squashfs-tool.ts';
import { supply, type Supply, type SupplyOptions } from './supply.ts';
import { statsIfThere } from '../system/stats.ts';

/** What the image is made from, and where it goes. */
export interface BuildOptions extends SupplyOptions {
  readonly arch: Arch;
  readonly lock: Lock;
  readonly recipe: Recipe;
  /** Folder with initrd/, root/ and modes.json. */
  readonly rootfs: string;
  /** PREFIX of the files to be made. */
  readonly prefix: string;
  readonly onStep: (sentence: string) => void;
  /** Runs the moment in which the new files take the old ones' names while nobody else touches them. */
  readonly alone: (work: () => void) => Promise<void>;
}

/** The image that is there now. */
export interface Built {
  readonly manifest: Manifest;
  /** False when what was there is what would have been made. */
  readonly fresh: boolean;
}

/** Makes the image, unless the same inputs made the one that is there. What was there stays until the new one is whole. */
export async function buildImage(options: BuildOptions): Promise<Built> {
  const { arch, lock, prefix, onWarning } = options;
  checkRequested(options);
  checkFloors(options);
  const tool = await findSquashfsTool(options);
  const inputs = inputsOf(options, tool);
  const present = upToDate(prefix, inputs);
  if (present !== undefined) return { manifest: present, fresh: false };
  if (!sameTool(tool, lock.squashfs)) onWarning(otherTool(tool, lock.squashfs));
  const supplied = await supply(lock, arch, options);
  return { manifest: await replaceImage({ options, inputs, tool, supplied }), fresh: true };
}

/** Makes it beside the one that is there, whose place it takes when it is whole. */
async function replaceImage(making: Making): Promise<Manifest> {
  const { options, supplied } = making;
  const { prefix, onStep } = options;
  onStep(unpacking(supplied.packages.length));
  const scratch = scratchBeside(prefix, options.clock.now());
  try {
    const made = join(scratch, 'new');
    const manifest = await makeFiles(made, { ...making, scratch });
    options.signal?.throwIfAborted();
    await options.alone(() => putInPlace(made, prefix));
    return manifest;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** What an image is made with. */
interface Making {
  readonly options: BuildOptions;
  readonly inputs: Inputs;
  readonly tool: SquashfsTool;
  readonly supplied: Supply;
}

/** Writes the files of an image at a prefix of its own; what its manifest says. */
async function makeFiles(
  prefix: string,
  { scratch, ...making }: Making & { readonly scratch: string },
): Promise<Manifest> {
  const { options, supplied } = making;
  const { kernel, unpacked, initrd, ...known } = await assemble({
    ...options,
    packages: supplied.packages,
    downloads: options.directory,
    time: newestIndex(supplied.suites),
    scratch,
  });
  const made = bundleAt(prefix);
  writeFileSync(made.kernel, kernel);
  if (unpacked !== undefined) writeFileSync(made.unpacked, unpacked);
  writeFileSync(made.initrd, initrd);
  writeFileSync(made.cmdline, `${options.recipe.cmdline(options.arch)}\n`);
  const manifest = manifestOf(made, making, known);
  writeFileSync(made.manifest, `${JSON.stringify(manifest, null, 2)}\n`);
  return manifest;
}

/** A new directory on the same disk; those that killed builds left there are removed. */
function scratchBeside(prefix: string, nowMs: number): string {
  const [folder, start] = [dirname(prefix), `.${basename(prefix)}-`];
  makeDirectory(folder);
  for (const name of readdirSync(folder).filter((each) => each.startsWith(start))) {
    const age = nowMs - (statsIfThere(join(folder, name))?.mtimeMs ?? nowMs);
    if (age > staleMs) rmSync(join(folder, name), { recursive: true, force: true });
  }
  return mkdtempSync(join(folder, start));
}

/** No build takes an hour: what is older belongs to none that lives. */
const staleMs = 60 * 60 * 1000;

/** The manifest of the image that is there, if it is whole and these inputs made it. */
function upToDate(prefix: string, inputs: Inputs): Manifest | undefined {
  try {
    const manifest = readManifest(bundleAt(prefix));
    if (JSON.stringify(manifest?.inputs) !== JSON.stringify(inputs)) return undefined;
    checkBootImage(bundleAt(prefix), { full: true });
    const hasAll =
      manifest?.files.unpacked === undefined || statsIfThere(bundleAt(prefix).unpacked);
    return hasAll ? manifest : undefined;
  } catch (error) {
    if (error instanceof Failed) return undefined;
    throw error;
  }
}

/** What the files were made from, and what they hold: they are read back, as they are on the disk. */
function manifestOf(
  { kernel, unpacked, initrd, cmdline }: BootImage,
  { options, inputs, tool, supplied }: Making,
  { kernelVersion, root }: Pick<Assembled, 'kernelVersion' | 'root'>,
): Manifest {
  const { arch, lock } = options;
  const { suites, packages } = supplied;
  const file = (path: string) => {
    const data = readFileSync(path);
    return { sha256: sha256(data), size: data.length };
  };
  return {
    arch,
    kernelVersion,
    inputs,
    suite: lock.suites[0]?.codename ?? '',
    indexDate: newestIndex(suites).toISOString(),
    suites: [...suites],
    squashfs: { ...tool, options: [...tool.options] },
    packages: Object.fromEntries(packages.map(({ name, version }) => [name, version])),
    files: {
      kernel: file(kernel),
      initrd: file(initrd),
      cmdline: file(cmdline),
      ...(statsIfThere(unpacked) && { unpacked: file(unpacked) }),
    },
    root,
  };
}

/** The old kernel goes first and the new one comes last: killed in between, there is no image rather than half of two. */
function putInPlace(from: string, to: string): void {
  const [made, place] = [bundleAt(from), bundleAt(to)];
  rmSync(place.kernel, { force: true });
  for (const part of bundleFiles)
    if (statsIfThere(made[part]) === undefined) rmSync(place[part], { force: true });
    else renameSync(made[part], place[part]);
}

/** A step of a build, for people. */
export const unpacking = (packages: number): string =>
  `Unpacking ${packages} packages and building the root file system`;
