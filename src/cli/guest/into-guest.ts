/** ssh into the guest as people and Nix come: through the front door. */
import { startingGuest } from '../../command/announce-slow.ts';
import { instance } from '../../config/instance.ts';
import type { Layout } from '../../config/layout.ts';
import { sshEnvironment } from '../../guest/login/ssh-argv.ts';
import { drained, isDrained } from '../../client/drained.ts';
import { findStatus } from '../../client/found.ts';
import { noDaemon } from '../../supervisor/daemon/no-daemon.ts';
import { traitsOf } from '../../supervisor/lifecycle/phases.ts';
import type { Status } from '../../supervisor/status/status-schema.ts';
import { Failed } from '../../system/failure.ts';
import { notConfigured } from '../../client/not-configured.ts';
import { readIfThere } from '../../system/files/files.ts';
import { findProgram } from '../../system/process/find-program.ts';
import type { CliContext } from '../../command/context.ts';

/** An ssh that leads into the guest, and the status by which that was found. */
export interface IntoGuest {
  readonly ssh: string;
  /** Options of ssh up to the name of the guest. */
  readonly argv: (user: 'builder' | 'root') => readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly status: Status;
}

/**
 * A way in, of a guest that is there or comes. Failed where none can come, in better words than ssh's, which would only say that a connection
 * was refused or closed.
 */
export async function intoGuest(layout: Layout, context: CliContext): Promise<IntoGuest> {
  if (readIfThere(layout.sshConfig) === undefined)
    throw new Failed(notConfigured(layout, layout.sshConfig));
  const found = await findStatus(layout, context);
  if (found.daemon === 'gone') throw new Failed(noDaemon(layout));
  const { phase, because } = found.status;
  const { builds } = traitsOf(phase);
  if (builds === 'never' && because !== undefined) throw new Failed(because);
  if (isDrained(found.status)) throw new Failed(drained);
  if (builds === 'on-demand') context.err(startingGuest);
  const asRoot = ['-l', 'root', '-i', layout.rootKey];
  return {
    ssh: findProgram('ssh', context.env['PATH']),
    argv: (user) => ['-F', layout.sshConfig, ...(user === 'root' ? asRoot : []), instance.sshAlias],
    env: sshEnvironment(context.env),
    status: found.status,
  };
}
