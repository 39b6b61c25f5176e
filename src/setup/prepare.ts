/** The work of `prepare`. */
import { chmodSync, readFileSync } from 'node:fs';
import { parseConfig } from '../config/config.ts';
import type { Layout } from '../config/layout.ts';
import { describeToOwner, type Problem } from '../domain/problem.ts';
import { ensureIdentity } from '../guest/identity/identity.ts';
import { bareKey, knownHostsLine } from '../nix/ssh/stanza.ts';
import { claimDirectory } from '../host/directory/directory-mark.ts';
import { errorCode, Exit, Failed, type Failure } from '../system/failure.ts';
import { makeDirectory, readIfThere, writeWhole } from '../system/files/files.ts';
import { refusal } from '../system/files/reasons.ts';
import { hostFacts } from '../system/host/host.ts';
import { withOperationLock } from '../system/lock/lock.ts';
import type { CliContext } from '../command/context.ts';

export interface PrepareOptions {
  readonly settings: string;
  readonly shared?: boolean;
}

/** The guest's public key, for whoever tells ssh of it. Run again it changes what differs, and no key. */
export async function prepare(
  layout: Layout,
  { settings, shared = false }: PrepareOptions,
  context: CliContext,
): Promise<string> {
  const text = textOf(settings);
  const parsed = parseConfig(text, hostFacts(layout.root));
  if (!parsed.ok) throw new Failed(unusable(settings, parsed.problems));
  claimDirectory(layout);
  makeDirectory(layout.state);
  // Passed through and not read: the socket in it is the group's, and nothing else.
  if (shared) for (const path of [layout.root, layout.state]) chmodSync(path, 0o710);
  const { clock, signal } = context;
  return withOperationLock(
    layout.startLock,
    { clock, signal, onWaiting: () => undefined },
    async () => {
      const mode = shared ? 0o640 : 0o600;
      if (readIfThere(layout.config) !== text)
        writeWhole(layout.config, text, { mode, alone: true });
      const { host } = await ensureIdentity(layout, signal);
      // The daemon's own ssh knows the guest by it, and would wait in vain without.
      const known = knownHostsLine(host.public);
      if (readIfThere(layout.knownHosts) !== known)
        writeWhole(layout.knownHosts, known, { alone: true });
      return bareKey(host.public);
    },
  );
}

function textOf(settings: string): string {
  try {
    return readFileSync(settings, 'utf8');
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    throw new Failed(unread(settings, error), { cause: error });
  }
}

export const unread = (settings: string, error: unknown): Failure => ({
  kind: 'settings-unread',
  message: `Cannot read ${settings}: ${refusal(error)}. Nothing was changed.`,
  hint: 'Correct the path that follows --settings.',
  exit: Exit.noInput,
});

export const unusable = (settings: string, problems: readonly Problem[]): Failure => ({
  kind: 'bad-settings',
  message: `${settings} cannot be used; nothing was changed:`,
  hint: 'Correct the options of the configuration that generated it.',
  exit: Exit.config,
  lines: problems.map(describeToOwner),
});
