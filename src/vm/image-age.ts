/**
 * How old an image is. What tells is the date of the security archive's index, which is made anew with each advisory and at least each
 * week: the release file of a stable Debian is signed anew at its point releases only.
 */
import * as v from 'valibot';
import type { Manifest } from './boot-image.ts';
import { advice, ours, type Text } from '../system/advice.ts';

/** An image whose security index is older is told of. */
const oldAfterDays = 45;

const newsSchema = v.object({
  version: v.literal(1),
  /** When somebody looked, and what the date of the security archive's index was then. */
  lookedAt: v.pipe(v.string(), v.isoTimestamp()),
  securityDate: v.pipe(v.string(), v.isoTimestamp()),
  /** How many packages the archive had newer than the lock, then. */
  newer: v.pipe(v.number(), v.integer(), v.minValue(0)),
});

/** What the last look at the security archive found: `image-news.json`. */
export type ImageNews = Readonly<v.InferOutput<typeof newsSchema>>;

/** Undefined for what is not there or cannot be read: then nothing is said of its age. */
export function readNews(text: string | undefined): ImageNews | undefined {
  try {
    return v.parse(newsSchema, JSON.parse(text ?? 'null'));
  } catch {
    return undefined;
  }
}

/** The age of an image. */
export interface ImageAge {
  /** Of the security archive's index that it was made from; absent where it was made without. */
  readonly securityDate?: string;
  readonly days: number;
  /** Packages that the archive had newer at the last look, where that was after the image was made. */
  readonly newer?: number;
  readonly isOld: boolean;
}

/** Pure. */
export function ageOf(
  manifest: Pick<Manifest, 'suites' | 'indexDate'>,
  news: ImageNews | undefined,
  nowMs: number,
): ImageAge {
  const security = manifest.suites?.find(({ archive }) => archive === 'security')?.indexDate;
  const date = Date.parse(security ?? manifest.indexDate);
  const days = Math.max(0, Math.floor((nowMs - date) / (24 * 60 * 60 * 1000)));
  const isSince = news !== undefined && Date.parse(news.securityDate) > date;
  return {
    ...(security === undefined ? {} : { securityDate: security }),
    days,
    ...(isSince ? { newer: news.newer } : {}),
    isOld: days > oldAfterDays,
  };
}

/** For people; undefined where there is nothing to tell. */
export function describeAge({ days, newer = 0, isOld, securityDate }: ImageAge): Text | undefined {
  if (!isOld && newer === 0 && securityDate !== undefined) return undefined;
  const since =
    securityDate === undefined
      ? `${days} ${days === 1 ? 'day' : 'days'} old and does not include Debian's security updates`
      : `${days} ${days === 1 ? 'day' : 'days'} behind Debian's security updates`;
  const packages = newer === 1 ? '1 package is' : `${newer} packages are`;
  const known = newer === 0 ? '' : `; ${packages} newer there`;
  return advice`The image is ${since}${known}. Update it: ${ours('image update')}`;
}
