/** `image update --check`: whether Debian's security archive has anything newer; nothing is made. */
import type { Layout } from '../../config/layout.ts';
import { currentLock, type LockPaths } from '../../image/current-lock.ts';
import { lookForNews } from '../../image/debian/look.ts';
import { recipe, type Arch } from '../../image/recipe.ts';
import type { SupplyOptions } from '../../image/supply.ts';
import { newsWords, noArchive } from './image-words.ts';
import { keepNews, newsIn } from '../../image/image-news.ts';
import type { Text } from '../../system/advice.ts';

/** The sentence that says what was found. */
export async function checkForNews(
  layout: Layout,
  lockPaths: LockPaths,
  options: SupplyOptions & { readonly arch: Arch },
): Promise<Text> {
  const lock = currentLock(lockPaths, recipe);
  const news = await lookForNews({ ...options, lock, recipe, before: newsIn(layout) });
  if (news === undefined) return noArchive;
  keepNews(layout, news);
  return newsWords(news);
}
