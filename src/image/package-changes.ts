/** What is other in one set of packages than in another, for people. */
import type { Located } from './debian/package-index.ts';

/** Names each package that is another now. */
export function changesBetween(before: readonly Located[], after: readonly Located[]): string[] {
  const old = new Map(before.map((each) => [each.name, each.version]));
  const now = new Set(after.map(({ name }) => name));
  const changed = after
    .filter(({ name, version }) => old.get(name) !== version)
    .map(({ name, version }) => `${name} ${version} (${was(old.get(name))})`);
  const gone = before.filter(({ name }) => !now.has(name)).map(({ name }) => `${name} (gone)`);
  return [...changed, ...gone];
}

const was = (version: string | undefined): string =>
  version === undefined ? 'new' : `was ${version}`;
