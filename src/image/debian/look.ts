/** Whether Debian's security archive has newer packages than a lock: its signed release file, and its list where that is new. */
import { compareVersions } from '../../vm/debian-version.ts';
import type { ImageNews } from '../../vm/image-age.ts';
import type { IndexOptions } from './indexes.ts';
import type { Lock } from '../image-lock.ts';
import type { Arch, Recipe } from '../recipe.ts';
import { fetchIndex, fetchRelease } from './release.ts';

interface LookOptions extends IndexOptions {
  readonly lock: Lock;
  readonly arch: Arch;
  readonly recipe: Recipe;
  /** What the look before found. */
  readonly before: ImageNews | undefined;
}

/** Undefined for a recipe that takes nothing from there. An index that has expired, or is older than the lock's, is a failure. */
export async function lookForNews(options: LookOptions): Promise<ImageNews | undefined> {
  const { lock, arch, recipe, before, mirrors, keyring, clock } = options;
  const suite = recipe.releases
    .flatMap(({ suites }) => suites)
    .find(({ archive }) => archive === 'security');
  if (suite === undefined) return undefined;
  const last = lock.suites.find(({ codename }) => codename === suite.codename)?.indexDate;
  const notBefore = last === undefined ? undefined : new Date(last);
  const release = await fetchRelease(mirrors.security, suite.codename, keyring, {
    ...options,
    notBefore,
  });
  const securityDate = release.date.toISOString();
  const isKnown = before?.securityDate === securityDate;
  return {
    version: 1,
    lookedAt: new Date(clock.now()).toISOString(),
    securityDate,
    newer: isKnown ? before.newer : await newerIn(release, lock, arch, options),
  };
}

async function newerIn(
  release: Awaited<ReturnType<typeof fetchRelease>>,
  lock: Lock,
  arch: Arch,
  options: LookOptions,
): Promise<number> {
  const index = await fetchIndex(options.mirrors.security, release, arch, options);
  return lock.architectures[arch].packages.filter(({ name, version }) =>
    (index.get(name) ?? []).some((each) => compareVersions(each.version, version) > 0),
  ).length;
}
