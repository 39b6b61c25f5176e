/** Whether an image may be started: one of ours that is below its floors is not, unless its owner has said just that. */
import { rmSync } from 'node:fs';
import type { Config } from '../../config/config.ts';
import { Exit, Failed } from '../../system/failure.ts';
import { bundleAt, bundleFiles, readManifest, type Manifest } from '../../vm/boot-image.ts';
import { describeShortfall, floorsFor, shortfalls } from '../../vm/floors.ts';
import { advice, ours } from '../../system/advice.ts';

/** An image below its floors. */
export interface OldImage {
  /** What `acceptOldImage` has to be to have just this one started. */
  readonly version: string;
  /** `its Nix ... is older than ...`: what is too old, and what that means. */
  readonly why: string;
}

/** What is too old in an image of ours; undefined where nothing is, or where no manifest says. */
export function oldImageAt(prefix: string): OldImage | undefined {
  try {
    const manifest = readManifest(bundleAt(prefix));
    return manifest === undefined ? undefined : oldImage(manifest);
  } catch (error) {
    // What is wrong with the manifest is told by who checks the whole image.
    if (error instanceof Failed) return undefined;
    throw error;
  }
}

/** Pure. */
function oldImage(manifest: Manifest): OldImage | undefined {
  const short = shortfalls(manifest.packages, floorsFor(manifest.arch));
  if (short.length === 0) return undefined;
  return { version: versionOf(manifest), why: short.map(describeShortfall).join('; ') };
}

/** An image is called by the date of its newest index: `20260912T075541Z`. */
const versionOf = ({ indexDate }: Pick<Manifest, 'indexDate'>): string =>
  indexDate.replace(/\.\d+Z$/, 'Z').replaceAll(/[:-]/g, '');

/** Throws for an image that is below its floors, unless it is the very one that the configuration accepts. */
export function refuseOld(old: OldImage | undefined, { acceptOldImage }: Config): void {
  if (old === undefined || old.version === acceptOldImage) return;
  throw new Failed({
    kind: 'image-below-floor',
    message: `The image is too old to be started: ${old.why}.`,
    hint: advice`Make a new one: ${ours('image build')}. To start this one anyway, set "acceptOldImage": "${old.version}" in config.json.`,
    exit: Exit.config,
    recovery: 'give-up',
    blames: 'image',
  });
}

/** Deletes a kept image that is below its floors: nothing shall ever fall back to it. True when there was one. */
export function dropOld(prefix: string): boolean {
  if (oldImageAt(prefix) === undefined) return false;
  const bundle = bundleAt(prefix);
  // The kernel first: without it there is no image, however far this gets.
  for (const part of bundleFiles.toReversed()) rmSync(bundle[part], { force: true });
  return true;
}
