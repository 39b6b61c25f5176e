/**
 * Which image a start boots. A new one is taken at the next start; one that does not get ready is set aside for the last that did,
 * which is kept beside it (`image/good-*`), with the reason.
 */
import { rmSync } from 'node:fs';
import { sha256 } from '../../system/digest.ts';
import type { Config } from '../../config/config.ts';
import type { Layout } from '../../config/layout.ts';
import { builtImage, goodImage } from '../../config/image-prefix.ts';
import type { Clock } from '../../system/time/clock.ts';
import { failureOf, type Failure } from '../../system/failure.ts';
import { discard, putCopy, readIfThere, sizeIfThere } from '../../system/files/files.ts';
import { fieldsOf } from '../../system/socket/json-lines.ts';
import { withOperationLock } from '../../system/lock/lock.ts';
import type { Log } from '../../system/log.ts';
import type { System } from '../../domain/guest-system.ts';
import {
  clearVerdicts,
  isRejection,
  readVerdicts,
  type Lesson,
  type Verdict,
} from '../../domain/verdicts.ts';
import { bundleAt, bundleFiles } from '../../vm/boot-image.ts';
import { oldImageAt, type OldImage } from './image-floor.ts';
import type { Facts } from '../status/status-schema.ts';
import { advice, ours } from '../../system/advice.ts';

/** Images are told apart by what their manifests say; undefined where there is none that is whole. */
export interface Images {
  /** What `image build` made last. */
  readonly newest: string | undefined;
  /** The last one that got ready. */
  readonly good: string | undefined;
  readonly rejected: ImageRejection | undefined;
}

/** An image that did not get ready, and why. */
interface ImageRejection {
  readonly image: string;
  /** Wall time, ISO 8601. */
  readonly at: string;
  readonly message: string;
}

/** The image of one start. */
export interface ChosenImage {
  readonly prefix: string;
  /** It is below its floors. */
  readonly old?: OldImage;
  /** Undefined for a bundle that the config names: that is its owner's affair. */
  readonly images?: Images;
  readonly prefixes?: ImagePrefixes;
}

/** PREFIX of each. */
interface ImagePrefixes {
  readonly newest: string;
  readonly good: string;
}

/** The one to boot: the newest, unless that has failed and another one has not. Pure. */
export const imageToBoot = ({ newest, good, rejected }: Images): 'newest' | 'good' =>
  isOther({ newest, good }) && rejected?.image === newest ? 'good' : 'newest';

/**
 * Whether a lost start speaks against the image, so that the last good one shall be used again: what the guest did, or did not do;
 * whatever is the host's would hit the other image as well. What is wrong with the data disk is not the image's either: whoever once
 * had root in a guest could leave a disk on which each new image fails, and have the old one back. Pure.
 */
export const speaksAgainst = (failure: Failure, images: Images): boolean =>
  imageToBoot(images) === 'newest' && isOther(images) && failure.blames === 'image';

const isOther = ({ newest, good }: Pick<Images, 'newest' | 'good'>): boolean =>
  newest !== undefined && good !== undefined && newest !== good;

/** PREFIX of what `image build` makes, or of the bundle that the config names. */
export const newestPrefix = (config: Config, layout: Layout): string =>
  config.bundle ?? builtImage(layout, config.system);

/** What the next start boots, from what lies there now and what is held against it. */
export function chooseImage(
  config: Config,
  layout: Layout,
  known: readonly Verdict[] = readVerdicts(layout.verdicts),
): ChosenImage {
  const newest = newestPrefix(config, layout);
  if (config.bundle !== undefined) return { prefix: newest };
  const prefixes = { newest, good: goodImage(layout, config.system) };
  const images = imagesAt(prefixes, layout, known);
  const prefix = prefixes[imageToBoot(images)];
  const old = oldImageAt(prefix);
  return { prefix, images, prefixes, ...(old === undefined ? {} : { old }) };
}

const imagesAt = (
  { newest, good }: ImagePrefixes,
  layout: Layout,
  known: readonly Verdict[],
): Images => ({
  newest: idOf(newest),
  good: oldImageAt(good) === undefined ? idOf(good) : undefined,
  rejected: readRejection(layout, known),
});

/** Whether the image that was made last is the one that got ready last: a guest that is there has no older one. */
export function isNewestGood(layout: Layout, system: System): boolean {
  const newest = idOf(builtImage(layout, system));
  return newest !== undefined && newest === idOf(goodImage(layout, system));
}

/** The kernel is the last to come and the first to go. */
function idOf(prefix: string): string | undefined {
  const { manifest, kernel } = bundleAt(prefix);
  const text = sizeIfThere(kernel) === undefined ? undefined : readIfThere(manifest);
  return text === undefined ? undefined : sha256(text);
}

/** What is held against an image. The release before this one wrote that into a file of its own. */
export function readRejection(
  { imageRejected, verdicts }: Layout,
  known: readonly Verdict[] = readVerdicts(verdicts),
): ImageRejection | undefined {
  const verdict = known.findLast(({ subject }) => subject === 'image');
  if (isRejection(verdict)) return { image: verdict.basis, at: verdict.at, message: verdict.why };
  try {
    const { image, at, message } = fieldsOf(JSON.parse(readIfThere(imageRejected) ?? 'null'));
    const isOne = [image, at, message].every((field) => typeof field === 'string');
    return isOne ? ({ image, at, message } as ImageRejection) : undefined;
  } catch {
    return undefined;
  }
}

/** It is tried again, whatever became of it before. */
export function forgetRejection({ imageRejected, verdicts }: Layout): void {
  clearVerdicts(verdicts, 'image');
  discard(imageRejected);
}

/** What the status says of an image. */
export function imageFacts({ prefix, images, old }: ChosenImage): NonNullable<Facts['image']> {
  const rejected =
    images !== undefined && imageToBoot(images) === 'good' ? images.rejected : undefined;
  const instead = rejected && { at: rejected.at, message: rejected.message };
  return {
    prefix,
    ...(instead === undefined ? {} : { instead }),
    ...(old === undefined ? {} : { old }),
  };
}

/** What a start that was lost before it was ready teaches of its image: another one may be there. */
export function imageLesson(failure: Failure, image: ChosenImage | undefined, at: string): Lesson {
  const images = image?.images;
  if (images?.newest === undefined || !speaksAgainst(failure, images)) return { failure };
  const way = { subject: 'image', way: 'newest', basis: images.newest } as const;
  const verdict = { ...way, at, why: failure.message, holdsUntil: 'image-build' } as const;
  return { failure: rejected(failure), verdict };
}

/** Not final, whatever it was: the other image is there. */
const rejected = (failure: Failure): Failure => ({
  ...failure,
  kind: 'image-rejected',
  recovery: 'retry',
  isIncident: true,
  message: `The new image did not become ready, so the previous one is used again. ${failure.message}`,
  hint: advice`To rebuild the new one, or to try it once more: ${ours('image build')}`,
});

interface KeepOptions {
  readonly layout: Layout;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** An image that got ready is kept as the good one. It takes no room: another name for the same files. */
export async function keepAsGood(image: ChosenImage, where: KeepOptions, log: Log): Promise<void> {
  const { prefix } = image;
  try {
    if (await keep(image, where)) log('info', 'image-kept', { prefix });
  } catch (error) {
    if (!where.signal.aborted) log('warn', 'image-not-kept', { failure: failureOf(error) });
  }
}

/** True when it was new. */
async function keep(
  { images, prefixes }: ChosenImage,
  { layout, clock, signal }: KeepOptions,
): Promise<boolean> {
  if (prefixes === undefined || images?.newest === undefined) return false;
  if (oldImageAt(prefixes.newest) !== undefined) return false;
  if (images.newest === images.good || imageToBoot(images) === 'good') return false;
  return withOperationLock(layout.startLock, { clock, signal }, () => {
    // Another one was made since this one was booted.
    if (idOf(prefixes.newest) !== images.newest) return Promise.resolve(false);
    keepFiles(prefixes.newest, prefixes.good);
    return Promise.resolve(true);
  });
}

/** The old kernel goes first and the new one comes last: killed in between, there is no good image rather than half of two. */
function keepFiles(from: string, to: string): void {
  const [made, place] = [bundleAt(from), bundleAt(to)];
  rmSync(place.kernel, { force: true });
  for (const part of bundleFiles)
    if (sizeIfThere(made[part]) === undefined) discard(place[part]);
    else putCopy(made[part], place[part], { canLink: true });
}
