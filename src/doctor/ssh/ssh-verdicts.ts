/** What is to be said of ssh's way to the guest. Pure. */
import { alias, exceptGuest } from '../../nix/ssh/stanza.ts';
import { advice, ours, type Text } from '../../system/advice.ts';

export const nixAnswers = 'nix-daemon in the guest answers the ssh command that Nix runs';

/** `shown`: the command, to be run by hand. */
export const needsRoot = (shown: string): string =>
  `this needs root; to check it by hand: ${shown}`;

/** The beginning of a sentence. */
export const notReachedAs = (who: 'user' | 'root'): string =>
  `${who === 'root' ? "Root's ssh" : 'Your ssh'} cannot reach nix-daemon in the guest`;

/** Without NIX_SSHOPTS it is reached. `said`: ssh's last words. */
export const optionsVerdict = (
  who: 'user' | 'root',
  { value, where }: { readonly value: string | undefined; readonly where: string },
  said: string,
) =>
  ({
    kind: 'bad',
    code: 'nix-sshopts',
    what: `${notReachedAs(who)}, because of NIX_SSHOPTS=${value ?? ''} in ${where} (${said}).`,
    remedy: `Remove NIX_SSHOPTS from ${where}.`,
  }) as const;

/** `where`: the file that sets SHELL, or `your environment`. */
export const shellCannotRun = (shell: string, where: string) => ({
  code: 'shell-unusable' as const,
  what: `SHELL=${shell} in ${where} cannot run commands, which ssh needs to reach a socket`,
  remedy: advice`Set SHELL to /bin/sh there, or use a port instead of a socket: ${ours('configure', '--door tcp')}`,
});

/** Options that others have set for our host as well, each with where. */
export const otherLines = (named: readonly string[]): string =>
  `Other lines of the ssh configuration also apply to ${alias}: ${named.join('; ')}`;

/** For those that must stay as they are for other hosts. */
export const excludeHost = `Exclude ${alias} from those lines by putting them directly below a line \`${exceptGuest}\`, or remove them.`;

/** `where`: ` in FILE`, or empty where that is not known. */
export const alsoApplies = (name: string, where: string): Text =>
  advice`${name}${where} also applies to the guest. To override it: ${ours('configure')}`;

/** `names`: of variables, or patterns of such. */
export const sendsToGuest = (who: 'user' | 'root', names: readonly string[]): string =>
  `${who === 'root' ? "Root's ssh" : 'Your ssh'} sends the guest these environment variables (SendEnv, SetEnv): ${names.join(', ')}. If they are secret: ${excludeHost}`;

/** Something is printed before Nix's answer: by ssh itself, or what stands in its place. */
export const printedBySsh = (ssh: string) => ({
  code: 'printed-by-ssh' as const,
  what: 'Nix reads all of this output as its own protocol',
  remedy: `Find out what prints it: a wrapper around ssh (${ssh}), or a ProxyCommand. Such output must go to stderr.`,
});

/** By the shell in which ssh runs a command for Nix when it has logged in. */
export const printedByShell = (shell: string) => ({
  code: 'printed-by-shell' as const,
  what: `It comes from ${shell}, in which ssh runs a command for Nix; since 2.9, Nix accepts only the output of that command`,
  remedy:
    'Change its start-up files (such as ~/.zshenv, or the file that BASH_ENV names) so that they print nothing without a terminal.',
});

/** In place of SHELL, where nothing sets it. */
export const loginShell = 'the login shell';
/** In place of a line that has nothing to quote. */
export const blankLine = 'a blank line';
/** Neither an answer nor an end. */
export const noAnswerIn = (seconds: number): string => `no answer in ${seconds} s`;
/** `printed`: its first line, quoted. */
export const printsBefore = (printed: string): string =>
  `something prints ${printed} before the answer`;
