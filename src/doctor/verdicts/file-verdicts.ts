/** What is to be said of the files by which ssh and Nix find the guest. Pure. */
import { alias } from '../../nix/ssh/stanza.ts';
import { shellWord } from '../../system/shell.ts';
import type { CheckVerdict } from '../check-runner.ts';
import { advice, ours, type Text } from '../../system/advice.ts';

const configure = ours('configure');
const fact = `ssh ${alias} leads to the guest`;

/** All files are right, and ssh goes by them. */
export const leadsToGuest: CheckVerdict = { kind: 'good', fact };

/** A file that configure leaves alone, such as a link into the Nix store. */
export const changedByHand = (file: {
  readonly path: Text;
  readonly why: Text;
  readonly text: Text;
}): CheckVerdict => ({
  kind: 'bad',
  code: 'file-by-hand',
  what: advice`${file.path} ${file.why}, and does not include the builder.`,
  why: 'configure does not change such a file.',
  remedy: file.text,
});

/** It works; another would be written now. */
export const olderStanza = (path: string): CheckVerdict => ({
  kind: 'note',
  code: 'files-older',
  fact,
  why: advice`${path} was written by another version of this program, or before your ssh configuration changed. To update it: ${configure}`,
});

/** Files that are ours, and hold something else. */
export const notAsConfigured = (paths: readonly string[]): CheckVerdict => ({
  kind: 'bad',
  code: 'files-changed',
  what: `Not as configure would write ${paths.length === 1 ? 'it' : 'them'}: ${paths.join(', ')}.`,
  why: 'The settings have changed since, or somebody has edited these files.',
  remedy: configure,
});

/** The user's ssh reads the file that leads to ours, and does otherwise. */
export const notTakenIn = (path: string, ssh: string): CheckVerdict => ({
  kind: 'bad',
  code: 'ssh-config-unused',
  what: `ssh does not use ${path}, although your ssh configuration includes it.`,
  why: `To see what ssh uses: ${shellWord(ssh)} -G ${alias}`,
  remedy: advice`Remove the lines that override it, or the whole linuxkit-builder block, then run: ${configure}`,
});

/** Why it matters to a user what root has. */
export const whatNixUses = (files: readonly string[]): string =>
  `nix-daemon runs as root and uses ${files.join(', ')}.`;

/** It works: root's key was the user's then. */
export const ofThePreviousRelease: CheckVerdict = {
  kind: 'note',
  code: 'files-older',
  fact: 'as written by an earlier version',
  why: advice`To update them, and to give root a key of its own: ${configure}`,
};

/** Root's files lead where the user's lead. */
export const sameAsYours = (door: 'tcp' | 'unix'): CheckVerdict => ({
  kind: 'good',
  fact: `same ${door === 'tcp' ? 'port' : 'socket'}, keys and machines line as yours`,
});
