/** `image build`: lock -> packages -> image, in one go and only where something changed. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Exit, Failed } from '../system/failure.ts';
import { makeDirectory } from '../system/files.ts';
import { bundleAt, checkBundle, hashOfFile, readManifest, type Manifest } from '../vm/bundle.ts';
import { assemble } from './assemble.ts';
import { lockHash, type Lock } from './lock.ts';
import { overlayEntries } from './overlay.ts';
import type { Arch, Recipe } from './recipe.ts';
import { findSquashfsTool, type SquashfsTool } from './squashfs.ts';
import { supply, type Supply, type SupplyOptions } from './supply.ts';

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

export interface Built {
  readonly manifest: Manifest;
  /** False when what was there is what would have been made. */
  readonly fresh: boolean;
}

/** Makes the image, unless the same inputs made the one that is there. What was there stays until the new one is whole. */
export async function buildImage(options: BuildOptions): Promise<Built> {
  const { arch, lock, prefix, onStep, onWarning, signal } = options;
  checkRequested(options);
  const tool = await findSquashfsTool();
  const inputs = inputsOf(options, tool);
  const present = upToDate(prefix, inputs);
  if (present !== undefined) return { manifest: present, fresh: false };
  if (!sameTool(tool, lock.squashfs)) onWarning(otherTool(tool, lock.squashfs));
  const supplied = await supply(lock, arch, options);
  onStep(`Unpacking ${supplied.packages.length} packages and packing the root file system`);
  makeDirectory(dirname(prefix));
  const scratch = mkdtempSync(join(dirname(prefix), `.${basename(prefix)}-`));
  try {
    const { kernel, kernelVersion, initrd } = await assemble({
      ...options,
      packages: supplied.packages,
      downloads: options.directory,
      time: supplied.indexDate,
      scratch,
    });
    const made = bundleAt(join(scratch, 'new'));
    writeFileSync(made.kernel, kernel);
    writeFileSync(made.initrd, initrd);
    writeFileSync(made.cmdline, `${options.recipe.cmdline(arch)}\n`);
    const manifest = manifestOf(made.prefix, { options, inputs, tool, supplied, kernelVersion });
    writeFileSync(made.manifest, `${JSON.stringify(manifest, null, 2)}\n`);
    signal?.throwIfAborted();
    await options.alone(() => putInPlace(made.prefix, prefix));
    return { manifest, fresh: true };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Hash of everything that decides the image's bytes. */
function inputsOf(options: BuildOptions, { tool, version, options: argv }: SquashfsTool) {
  const { arch, lock, recipe, rootfs } = options;
  const parts = (['initrd', 'root'] as const).map((part) =>
    overlayEntries(rootfs, part).map((entry) => ({
      ...entry,
      data: entry.kind === 'file' ? sha256(entry.data) : undefined,
    })),
  );
  const said = [recipe.cmdline(arch), recipe.stage1Modules, recipe.rootModules, recipe.without];
  return {
    lock: lockHash(lock, arch),
    recipe: sha256(JSON.stringify([said, recipe.packages(arch)])),
    rootfs: sha256(JSON.stringify(parts)),
    squashfs: sha256(JSON.stringify([tool, version, argv])),
    // What the recipe keeps is a function, and so is the making: the program's own text stands for both.
    program: sha256(`${recipe.keep.toString()}${hashOfFile(fileURLToPath(import.meta.url))}`),
  };
}

type Inputs = ReturnType<typeof inputsOf>;

const sha256 = (data: string | Uint8Array): string =>
  createHash('sha256').update(data).digest('hex');

/** The manifest of the image that is there, if it is whole and these inputs made it. */
function upToDate(prefix: string, inputs: Inputs): Manifest | undefined {
  try {
    const manifest = readManifest(bundleAt(prefix));
    if (JSON.stringify(manifest?.inputs) !== JSON.stringify(inputs)) return undefined;
    checkBundle(bundleAt(prefix), { full: true });
    return manifest;
  } catch (error) {
    if (error instanceof Failed) return undefined;
    throw error;
  }
}

function manifestOf(
  prefix: string,
  made: {
    readonly options: BuildOptions;
    readonly inputs: Inputs;
    readonly tool: SquashfsTool;
    readonly supplied: Supply;
    readonly kernelVersion: string;
  },
): Manifest {
  const { kernel, initrd, cmdline } = bundleAt(prefix);
  const file = (path: string) => {
    const data = readFileSync(path);
    return { sha256: sha256(data), size: data.length };
  };
  return {
    arch: made.options.arch,
    kernelVersion: made.kernelVersion,
    inputs: made.inputs,
    suite: made.options.lock.suite,
    indexDate: made.supplied.indexDate.toISOString(),
    squashfs: { ...made.tool, options: [...made.tool.options] },
    packages: Object.fromEntries(made.supplied.packages.map((each) => [each.name, each.version])),
    files: { kernel: file(kernel), initrd: file(initrd), cmdline: file(cmdline) },
  };
}

/** The old kernel goes first and the new one comes last: killed in between, there is no image rather than half of two. */
function putInPlace(from: string, to: string): void {
  const [made, place] = [bundleAt(from), bundleAt(to)];
  rmSync(place.kernel, { force: true });
  for (const part of ['manifest', 'initrd', 'cmdline', 'kernel'] as const)
    renameSync(made[part], place[part]);
}

function checkRequested({ lock, arch, recipe }: BuildOptions): void {
  const asked = (names: readonly string[]) => [...names].sort().join(' ');
  const same =
    asked(lock.architectures[arch].requested) === asked(recipe.packages(arch)) &&
    asked(lock.without) === asked(recipe.without);
  if (!same)
    throw new Failed({
      kind: 'lock-stale',
      message: 'The lock was made for another recipe: other packages are asked for now.',
      hint: 'Renew it with `linuxkit-builder image build --update`.',
      exit: Exit.config,
    });
}

const sameTool = (a: SquashfsTool, b: SquashfsTool): boolean =>
  JSON.stringify([a.tool, a.version, a.options]) === JSON.stringify([b.tool, b.version, b.options]);

const otherTool = (here: SquashfsTool, locked: SquashfsTool): string =>
  `The squashfs is made by ${here.tool} ${here.version} and the lock was made with ${locked.tool} ${locked.version}: the image will be as good, but not the same to the byte.`;
