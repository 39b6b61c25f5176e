/** What configure goes by that only programs can say: the guest, Nix, and ssh. Each is asked once, before anything is decided. */
import type { Config } from '../../config/config.ts';
import { layoutOf, type Layout } from '../../config/layout.ts';
import type { CliContext } from '../../command/context.ts';
import { ownerHere, readInstalled, refuseSecondUser } from '../../host/installed.ts';
import { refuseSecondDirectory } from '../../host/other-builder.ts';
import { systemPathsOf, type SystemPaths } from '../../host/system-paths.ts';
import { SshAsker } from '../../nix/ssh/ask-ssh.ts';
import { doorProxy } from '../../nix/ssh/door-helper.ts';
import { rootSsh, userSsh, type SshFound } from '../../nix/ssh/user-ssh.ts';
import { findNix, type NixVariant } from '../../nix/variant.ts';
import { guestHasKvm, guestRunsI686 } from '../guest-can.ts';
import { check, type GuestCan } from './check-request.ts';
import type { ConfigureFlags } from './request.ts';
import type { Text } from '../../system/advice.ts';

/** One run: what was asked for, where, and by whom. */
export interface ConfigureRun {
  readonly flags: ConfigureFlags;
  readonly context: CliContext;
  readonly layout: Layout;
  readonly systemPaths: SystemPaths;
  /** What stands for /; empty where that is / itself. */
  readonly tree: string;
  readonly say: (line: Text) => void;
  readonly asker: SshAsker;
}

export interface ConfigureFacts {
  readonly guest: GuestCan;
  readonly nix: NixVariant | undefined;
  readonly userSsh: SshFound;
  readonly rootSsh: SshFound;
  /** How ssh reaches the door of these settings; undefined where it is a port. */
  readonly proxy: (config: Config) => Promise<string | undefined>;
}

/** Fails where the request is refused whatever they say. */
export async function configureFacts(run: ConfigureRun): Promise<ConfigureFacts> {
  const { flags, context, systemPaths } = run;
  const guest = await guestCan(flags, context);
  const known = readInstalled(systemPaths.roots.installed);
  refuseSecondUser(known, ownerHere(flags.root).uid);
  refuseSecondDirectory(known, systemPaths, flags.root);
  let proxy: Promise<string | undefined> | undefined;
  return {
    guest,
    nix: await findNix(context),
    userSsh: await userSsh(run),
    rootSsh: await rootSsh({ ...run, sudo: !flags.skipRoot && !flags.dryRun }),
    proxy: async (config) =>
      config.door === 'tcp'
        ? undefined
        : (proxy ??= doorProxy(config, systemPaths.roots, context.signal)),
  };
}

async function guestCan(flags: ConfigureFlags, context: CliContext): Promise<GuestCan> {
  const layout = layoutOf(flags.root);
  const kvm = await guestHasKvm(layout, context);
  const { config } = check(flags, { kvm });
  if (config.extraSystems.length === 0) return { kvm };
  return { kvm, i686: await guestRunsI686(layout, context) };
}

/** Where this run works; `said` counts what it has said. */
export function runOf(
  flags: ConfigureFlags,
  context: CliContext,
): ConfigureRun & { said: () => number } {
  const tree = context.env['LINUXKIT_BUILDER_TREE'] ?? '';
  let said = 0;
  return {
    flags,
    context,
    tree,
    layout: layoutOf(flags.root),
    systemPaths: systemPathsOf(tree),
    asker: new SshAsker(context.signal),
    said: () => said,
    say: (line) => {
      said++;
      // What is on the output with --no-root is for an administrator to run.
      if (!flags.quiet) context[flags.skipRoot && !flags.dryRun ? 'err' : 'out'](line);
    },
  };
}
