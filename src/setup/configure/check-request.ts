/** Everything that can be wrong with what `configure` was asked for, found before anything is written. */
import { readMore, type Config } from '../../config/config.ts';
import { layoutOf, stateDirectoryProblems } from '../../config/layout.ts';
import { describeToOwner, withoutCommonHint, type Problem } from '../../domain/problem.ts';
import type { System } from '../../domain/guest-system.ts';
import { directoryProblems, distrustProblems } from '../directories.ts';
import { extraSystemProblems } from '../../nix/extra-systems.ts';
import { featureProblems } from '../../nix/features.ts';
import { newSettings } from './new-settings.ts';
import { Exit, Failed, failureOf, type Failure } from '../../system/failure.ts';
import { readIfThere, sizeIfThere } from '../../system/files/files.ts';
import { hostFacts } from '../../system/host/host.ts';
import { thisUser } from '../../system/host/user.ts';
import { bundleAt, checkBootImage } from '../../vm/boot-image.ts';
import { byFlag, type ConfigureFlags } from './request.ts';

/** What config.json shall be. */
interface Settings {
  readonly config: Config;
  readonly text: string;
}

/** What a guest that runs can do; undefined where that is not known. */
export interface GuestCan {
  readonly kvm?: boolean | undefined;
  readonly i686?: boolean | undefined;
}

/** The new settings, or everything that is wrong with them and with their directory at once. Failed `cannot-read` where the present ones are not for us. */
export function check(
  { root, asked, reset }: ConfigureFlags,
  { kvm, i686 }: GuestCan = {},
): Settings {
  refuseUnknownUser();
  const layout = layoutOf(root);
  const place = [...stateDirectoryProblems(root), ...directoryProblems(layout)];
  const settings = newSettings({
    asked,
    reset,
    existing: place.length > 0 ? undefined : readIfThere(layout.config),
    host: hostFacts(root),
    diskBytes: place.length > 0 ? undefined : sizeIfThere(layout.disk),
  });
  const wrong = [
    ...(settings.ok
      ? [
          ...featureProblems(settings.config.features, kvm),
          ...extraSystemProblems(settings.config, i686),
        ]
      : settings.problems),
    ...bundleProblems(asked.bundle, settings.ok ? settings.config.system : undefined),
  ];
  if (settings.ok && place.length === 0 && wrong.length === 0) return settings;
  throw new Failed(badSettings([...place, ...wrong].map((problem) => byFlag(problem, asked))));
}

/** To be called before anything in the directory is read: it may be another user's. */
export function refuseOthers(root: string): void {
  const problems = distrustProblems(layoutOf(root));
  if (problems.length > 0) throw new Failed(badSettings(problems));
}

/** ssh works for nobody whom the user database does not know, so the daemon would never find its guest. */
function refuseUnknownUser(): void {
  const { isKnown, uid } = thisUser();
  if (!isKnown) throw new Failed(userUnknown(uid));
}

export const userUnknown = (uid: number): Failure => ({
  kind: 'user-unknown',
  message: `User ID ${uid} has no entry in the user database, and ssh does not work without one. Nothing was changed.`,
  hint: 'Run this as a user with an entry in the user database (/etc/passwd).',
  exit: Exit.noPermission,
});

/** A bundle that is named now is whole, as far as a look can tell. */
export function bundleProblems(prefix: unknown, system: System | undefined): Problem[] {
  if (typeof prefix !== 'string') return [];
  try {
    checkBootImage(bundleAt(prefix), { full: false, ...(system && { system }) });
    return [];
  } catch (error) {
    const { message } = failureOf(error);
    const hint = `${message} Name the PREFIX of the files PREFIX-kernel, PREFIX-initrd.img and PREFIX-cmdline.`;
    return [{ path: 'bundle', value: prefix, message: 'is not a usable image', hint }];
  }
}

export function badSettings(problems: readonly Problem[]) {
  return {
    kind: 'bad-settings',
    message:
      problems.length === 1
        ? 'There is a problem; nothing was changed:'
        : `There are ${problems.length} problems; nothing was changed:`,
    hint: readMore,
    exit: Exit.usage,
    // What stands below all of them need not stand behind one of them too.
    lines: problems.map(withoutCommonHint).map(describeToOwner),
  };
}
