/** Whether an image can be made from a lock with this recipe, and with the tool that is here. */
import { Exit, Failed } from '../system/failure.ts';
import { describeShortfall, shortfalls } from '../vm/floors.ts';
import type { Lock } from './image-lock.ts';
import type { Arch, Recipe } from './recipe.ts';
import type { SquashfsTool } from './tree/squashfs-tool.ts';
import { advice, ours } from '../system/advice.ts';

interface Locked {
  readonly lock: Lock;
  readonly arch: Arch;
  readonly recipe: Recipe;
}

/** Both name the same packages. Throws Failed `lock-stale`. */
export function checkRequested({ lock, arch, recipe }: Locked): void {
  const asked = (names: readonly string[]) => [...names].sort().join(' ');
  const same =
    asked(lock.architectures[arch].requested) === asked(recipe.packages(arch)) &&
    asked(lock.without) === asked(recipe.without);
  if (!same)
    throw new Failed({
      kind: 'lock-stale',
      message: 'The image lock was made for a different set of packages.',
      hint: advice`Update it: ${ours('image build', '--update')}`,
      exit: Exit.config,
    });
}

/** What the lock names is what an image is made of, or newer. Throws Failed `lock-below-floor`. */
export function checkFloors({ lock, arch, recipe }: Locked): void {
  const { packages } = lock.architectures[arch];
  const versions = Object.fromEntries(packages.map(({ name, version }) => [name, version]));
  const short = shortfalls(versions, recipe.floors(arch));
  if (short.length === 0) return;
  throw new Failed({
    kind: 'lock-below-floor',
    message: `Cannot build an image from this lock: ${short.map(describeShortfall).join('; ')}.`,
    hint: advice`Update it: ${ours('image build', '--update')}`,
    exit: Exit.config,
  });
}

/** They make the same bytes. */
export const sameTool = (a: SquashfsTool, b: SquashfsTool): boolean =>
  JSON.stringify([a.tool, a.version, a.options]) === JSON.stringify([b.tool, b.version, b.options]);

/** What is to be said of a tool that makes other bytes than the one that the lock was made with. */
export const otherTool = (here: SquashfsTool, locked: SquashfsTool): string =>
  `The root file system is built by ${here.tool} ${here.version}, but the lock was made with ${locked.tool} ${locked.version}. The image works the same, but is not byte-identical.`;
