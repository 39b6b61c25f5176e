/** What configure and unconfigure say of what they do. */
import type { Owner } from '../host/installed.ts';
import { describeLoss } from '../host/purge.ts';
import { Exit, type Failure } from '../system/failure.ts';
import type { ByHand } from './survey.ts';

export const nothingToChange = 'Nothing to change.';
export const thisNix = (nix: string): string => `This machine has ${nix}.`;
export const movedLegacy = (folder: string): string => `Moved linuxkit-nix's files to ${folder}`;
export const createdKeys = (folder: string): string => `Created keys in ${folder}`;
export const startsAtLogin =
  'The daemon starts at your next login. To start it now: linuxkit-builder start';
export const noKeeper =
  'Warning: this system does not run systemd, so nothing starts the daemon at your next login. Have your own init system run linuxkit-builder daemon, or start it yourself: linuxkit-builder start';
export const startsAtBoot = 'The daemon starts at boot. To start it now: linuxkit-builder start';

/** A file that is not ours to change, and what to do about it. */
export const leftToPerson = ({ path, why, text }: ByHand): string[] => [
  `${path} ${why}, so it was not changed.`,
  ...text.split('\n'),
];

/** `its`: of which builder, where that is not ours. */
export const declaredElsewhere = (
  { by, path, restart }: { by: string; path: string; restart: string },
  its: string | undefined,
): string =>
  `The daemon's job${its === undefined ? '' : ` (for the builder in ${its})`} is declared by ${by}, so ${path} was not changed. To restart it: ${restart}`;

export const protectedPath = (path: string): string =>
  `Protected from Nix's garbage collector: ${path}`;
export const unprotectedPath = (path: string): string =>
  `Warning: Nix's garbage collector may delete ${path}, which starts the daemon: cannot create a garbage-collector root for it.`;

export const nothingToUndo = 'Nothing to undo.';
export const nothingChanged = 'Nothing was changed.';
export const leftRoots = ({ name, directory }: Owner): string =>
  `Left root's files: they are for ${name}'s builder in ${directory}.`;
export const leftDeclared = (by: string, path: string): string =>
  `Left the job that ${by} declares: ${path}`;
export const waitsForKeeper = (keeper: string): string =>
  `Waiting for ${keeper} to stop the daemon.`;
export const stoppedDaemon = 'Stopped the daemon.';
export const leftDirectory = (directory: string): string =>
  `Left ${directory}: it contains files that linuxkit-builder did not create.`;

/** `left`: what is not ours, by name. */
export const deletedDirectory = (directory: string, left: readonly string[]): string =>
  left.length === 0
    ? `Deleted ${directory}`
    : `Deleted our files in ${directory}. Left the others: ${left.join(', ')}`;

export const keptThese = (loss: readonly string[], directory: string): string[] => [
  `Kept ${describeLoss(loss, directory)}`,
  'To delete them too: linuxkit-builder unconfigure --purge',
];

export const needsYes = (what: string): Failure => ({
  kind: 'needs-yes',
  message: `--purge would delete ${what}. Nothing was changed.`,
  hint: 'This is not a terminal, so nobody can confirm that. If you are sure, add --yes.',
  exit: Exit.usage,
});

/** Where root's script for a removal fails. */
export const removalRefused = {
  so: 'the builder is still registered with Nix, and your own files were not changed.',
  hint: 'Run unconfigure again as a user who can use sudo, or have an administrator run, as root, what this prints: linuxkit-builder unconfigure --no-root',
  without: withoutSudo('unconfigure'),
};

/** Where neither sudo nor doas is here. The script is an argument: su reads its password from the input. */
export function withoutSudo(verb: 'configure' | 'unconfigure'): string {
  return `Run, as root, what this prints: linuxkit-builder ${verb} --no-root. With su: su root -c "$(linuxkit-builder ${verb} --no-root)"`;
}
