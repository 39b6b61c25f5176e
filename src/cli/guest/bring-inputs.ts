/** Brings what a build sees into the guest, by Nix's own program for that. */
import { basename, dirname } from 'node:path';
import { instance } from '../../config/instance.ts';
import { counted } from '../../domain/counted.ts';
import { run, succeeded, type CommandResult } from '../../system/process/child.ts';
import { Exit, Failed, type Failure } from '../../system/failure.ts';
import { findProgram } from '../../system/process/find-program.ts';
import type { CliContext } from '../../command/context.ts';
import { advice, ours } from '../../system/advice.ts';

interface IntoStore {
  /** The whole environment of Nix's programs. */
  readonly env: Readonly<Record<string, string>>;
  /** By which ssh reaches the guest. */
  readonly sshConfig: string;
}

/** What is in the guest already is not copied again. Their signatures do not matter: the guest trusts whoever may build in it. */
export async function bringInputs(
  inputs: readonly string[],
  { env, sshConfig }: IntoStore,
  { env: { PATH }, signal }: Pick<CliContext, 'env' | 'signal'>,
): Promise<void> {
  if (inputs.length === 0) return;
  const asked = ['--check-validity', '--print-invalid', ...inputs];
  const checked = await run(findProgram('nix-store', PATH), asked, { env, signal });
  const missing = checked.stdout.split('\n').filter(Boolean);
  if (!succeeded(checked) || missing.length > 0) throw new Failed(inputsMissing(missing, checked));
  const argv = ['--to', instance.sshAlias, ...inputs];
  const copied = await run(findProgram('nix-copy-closure', PATH), argv, {
    signal,
    terminal: 'errors',
    // Nix splits NIX_SSHOPTS at white space, which a directory's name may have: so its ssh is begun there, and the file needs no directory.
    cwd: dirname(sshConfig),
    env: { ...env, NIX_SSHOPTS: `-F ${basename(sshConfig)}` },
  });
  if (!succeeded(copied)) throw new Failed(notCopied);
}

/** The last lines of what a command complained of. */
export const lastWords = ({ stderr }: CommandResult): string[] =>
  stderr.trim().split('\n').filter(Boolean).slice(-5);

/** `missing`: store paths that are not valid here; empty where Nix did not say. */
export const inputsMissing = (missing: readonly string[], ran: CommandResult): Failure => ({
  kind: 'inputs-missing',
  message:
    missing.length === 0
      ? "Nix cannot tell whether the inputs of the derivation are in this machine's store."
      : `${counted(missing.length, 'input')} of the derivation ${missing.length === 1 ? 'is' : 'are'} no longer in this machine's store.`,
  hint: 'Run the failed build again, which restores them: nix-store --realise DERIVATION',
  exit: Exit.dataError,
  lines: missing.length === 0 ? lastWords(ran) : missing.slice(0, 5),
});

/** What Nix said of it is on the terminal. */
export const notCopied: Failure = {
  kind: 'inputs-not-copied',
  message: 'nix-copy-closure could not copy the inputs of the derivation to the guest.',
  hint: advice`See Nix's messages above. To check the guest: ${ours('status')}`,
  exit: Exit.unavailable,
};
