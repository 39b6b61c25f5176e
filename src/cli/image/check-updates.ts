/** `image update --check`: whether Debian's security archive has anything newer; nothing is made. */
import type { Layout } from '../../config/layout.ts';
import { currentLock, type LockPaths } from '../../image/current-lock.ts';
import { lookForNews } from '../../image/debian/look.ts';
import { recipe, type Arch } from '../../image/recipe.ts';
import type { SupplyOptions } from '../../image/supply.ts';
import { keepNews, newsIn } from '../../image/image-news.ts';

/** The sentence that says what was found. */
export async function checkForNews(
  layout: Layout,
  places: LockPaths,
  options: SupplyOptions & { readonly arch: Arch },
): Promise<string> {
  const lock = currentLock(places, recipe);
  const news = await lookForNews({ ...options, lock, recipe, before: newsIn(layout) });
  if (news === undefined) return 'The image has no packages from a security archive.';
  keepNews(layout, news);
  if (news.newer === 0)
    return `Debian's security archive of ${news.securityDate} has no newer packages.`;
  const what =
    news.newer === 1 ? 'a newer version of 1 package' : `newer versions of ${news.newer} packages`;
  return `Debian's security archive of ${news.securityDate} has ${what}. Build an image from them: linuxkit-builder image update`;
}
