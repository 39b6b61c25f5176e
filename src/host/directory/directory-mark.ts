/** Whether what is in a directory is ours, which its mark says: what is not ours is never changed. */
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Layout } from '../../config/layout.ts';
import { settingNames } from '../../config/settings.ts';
import { Exit, Failed, type Failure } from '../../system/failure.ts';
import { makeDirectory, namesIfThere, readIfThere, writeWhole } from '../../system/files/files.ts';

const markText =
  "This is linuxkit-builder's state directory. It may delete everything that it has created here.\n";

/** Makes the directory, and marks it as ours. Fails where somebody's files are in it. */
export function claimDirectory(layout: Pick<Layout, 'root' | 'mark' | 'config'>): void {
  if (!mayBeOurs(layout)) throw new Failed(notOurs(layout.root));
  markDirectory(layout);
}

/** The same for one that was looked at. */
export function markDirectory({ root, mark }: Pick<Layout, 'root' | 'mark'>): void {
  makeDirectory(root);
  if (readIfThere(mark) !== markText) writeWhole(mark, markText, { alone: true });
}

/** True of a directory that is empty, carries our mark, or is of a release before there was a mark. */
export function mayBeOurs({
  root,
  mark,
  config,
}: Pick<Layout, 'root' | 'mark' | 'config'>): boolean {
  const names = namesIfThere(root).filter((name) => !isUnfinishedMark(name, mark));
  if (names.length === 0 || names.includes(basename(mark))) return true;
  const isEarly = (name: string) =>
    name === basename(config) ||
    Object.entries(early).some(
      ([folder, own]) =>
        folder === name && namesIfThere(join(root, name)).every((each) => own.test(each)),
    );
  const hasOnlyEarly = names.every(isEarly);
  if (hasOnlyEarly && (hasSettings(config) || !names.includes(basename(config)))) return true;
  const others = ['receipts.json', 'keys/host_ed25519', 'linuxkit-nix'];
  return hasSettings(config) && others.some((name) => existsSync(join(root, name)));
}

/** The mark's path, and what a killed `markDirectory` left of it; none of a directory that was never marked. */
export const marksIn = ({ root, mark }: Pick<Layout, 'root' | 'mark'>): string[] =>
  namesIfThere(root)
    .filter((name) => name === basename(mark) || isUnfinishedMark(name, mark))
    .map((name) => join(root, name));

/** What a `markDirectory` that was killed left of it, before it had its name: the digits of write-file-atomic. */
const isUnfinishedMark = (name: string, mark: string): boolean =>
  name.startsWith(`${basename(mark)}.`) && /\.\d{1,10}$/.test(name);

/** Folders that `image build` of the release before made before anything else, beside which somebody may have put settings for us; and what is in them. */
const early: Readonly<Record<string, RegExp>> = {
  downloads: /^([0-9a-f]{64}(\.partial)?|downloading\.(lock|kernel))$/,
  image: /^\.?builder-/,
  'nix-state': /^start\.(lock|kernel)$/,
};

function hasSettings(path: string): boolean {
  try {
    const json: unknown = JSON.parse(readIfThere(path) ?? '');
    const isObject = typeof json === 'object' && json !== null && !Array.isArray(json);
    return isObject && Object.keys(json).every((name) => settingNames.includes(name));
  } catch {
    // What cannot be read as ours is taken for somebody else's.
    return false;
  }
}

const notOurs = (root: string): Failure => ({
  kind: 'directory-not-ours',
  message: `${root} contains files that linuxkit-builder did not create. Nothing was changed.`,
  hint: 'Use -d to choose a directory that is empty or does not exist yet.',
  exit: Exit.usage,
});
