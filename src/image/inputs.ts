/** What decides an image's bytes, as hashes: same inputs, same image, so that nothing is made twice. */
import { sha256 } from '../system/digest.ts';
import { lockHash, type Lock } from './image-lock.ts';
import { overlayEntries } from './tree/overlay.ts';
import type { Arch, Recipe } from './recipe.ts';
import type { SquashfsTool } from './tree/squashfs-tool.ts';

interface Decisive {
  readonly arch: Arch;
  readonly lock: Lock;
  readonly recipe: Recipe;
  /** Folder with initrd/, root/ and modes.json. */
  readonly rootfs: string;
}

/**
 * How the parts are put together. It goes up with every change of that which makes other bytes of the same inputs, so that images are
 * made again then, and for no other change of the program.
 */
const format = 1;

/** Hash of everything that decides the image's bytes. */
export function inputsOf(options: Decisive, { tool, version, options: argv }: SquashfsTool) {
  const { arch, lock, recipe, rootfs } = options;
  const parts = (['initrd', 'root'] as const).map((part) =>
    overlayEntries(rootfs, part).map((entry) => ({
      ...entry,
      data: entry.kind === 'file' ? sha256(entry.data) : undefined,
    })),
  );
  const said = [
    recipe.cmdline(arch),
    recipe.stage1Modules,
    recipe.rootModules,
    recipe.vsockModules,
    recipe.without,
  ];
  return {
    lock: lockHash(lock, arch),
    recipe: sha256(JSON.stringify([said, recipe.packages(arch)])),
    rootfs: sha256(JSON.stringify(parts)),
    squashfs: sha256(JSON.stringify([tool, version, argv])),
    program: sha256(JSON.stringify([format, recipe.dropped.map(String)])),
  };
}

/** Hashes by name, so that what differs can be told. */
export type Inputs = ReturnType<typeof inputsOf>;
