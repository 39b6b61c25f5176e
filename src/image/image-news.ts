/** What is known of the image's age, kept in the state directory. */
import type { Layout } from '../config/layout.ts';
import type { Lock } from './image-lock.ts';
import { readIfThere, writeWhole } from '../system/files/files.ts';
import { errorCode, Failed } from '../system/failure.ts';
import { bundleAt, readManifest } from '../vm/boot-image.ts';
import { ageOf, readNews, type ImageAge, type ImageNews } from '../vm/image-age.ts';

/** What the last look has found; undefined where there was none, or it cannot be read. */
export const newsIn = ({ imageNews }: Pick<Layout, 'imageNews'>): ImageNews | undefined =>
  readNews(readIfThere(imageNews));

/** Nothing is newer than a lock that was made just now. */
export function writeNews(layout: Layout, { suites }: Lock, nowMs: number): void {
  const securityDate = suites.find(({ archive }) => archive === 'security')?.indexDate;
  if (securityDate === undefined) return;
  keepNews(layout, { version: 1, lookedAt: new Date(nowMs).toISOString(), securityDate, newer: 0 });
}

/** May be lost: the next look finds it again. */
export const keepNews = ({ imageNews }: Pick<Layout, 'imageNews'>, news: ImageNews): void =>
  writeWhole(imageNews, `${JSON.stringify(news)}\n`, { durable: false });

/** How old the image is that a guest runs, or would run; undefined where none of ours says. */
export function imageAgeAt(prefix: string, layout: Layout, nowMs: number): ImageAge | undefined {
  try {
    const manifest = readManifest(bundleAt(prefix));
    return manifest && ageOf(manifest, newsIn(layout), nowMs);
  } catch (error) {
    // What is wrong with it is told by who starts or checks it.
    if (error instanceof Failed || errorCode(error) !== undefined) return undefined;
    throw error;
  }
}
