/** What is done about a state directory of linuxkit-nix: `configure` goes on from it when asked to, and not otherwise. */
import { layoutOf, type Layout } from '../../config/layout.ts';
import { label } from '../../service/launchd/launch-agent.ts';
import { readLegacy, type LegacyState } from '../legacy.ts';
import { Exit, Failed } from '../../system/failure.ts';
import type { ConfigureFlags } from './request.ts';

/** The flags with its settings below those that were given; `legacy` is what has to be set aside. */
export function withLegacy(flags: ConfigureFlags): {
  readonly flags: ConfigureFlags;
  readonly legacy: LegacyState | undefined;
} {
  const legacy = readLegacy(layoutOf(flags.root));
  if (legacy === undefined) return { flags, legacy };
  if (!flags.takeOver) throw new Failed(isLegacy(flags.root, legacy));
  if (legacy.vmPid !== undefined) throw new Failed(itsVmLives(flags.root, legacy.vmPid));
  const given = Object.entries(flags.asked).filter(([, value]) => value !== undefined);
  return { flags: { ...flags, asked: { ...legacy.asked, ...Object.fromEntries(given) } }, legacy };
}

const itsVmLives = (root: string, pid: number) => ({
  kind: 'legacy-vm-lives',
  message: `linuxkit-nix's VM in ${root} still runs, with pid ${pid}, and nothing was changed.`,
  hint: `End it: launchctl stop ${label}; if it is there after a minute: kill ${pid}. Then run this again.`,
  exit: Exit.temporary,
});

/** For `unconfigure`, which undoes what we did: fails on a directory that we never took over, and says how it is removed. */
export function refuseLegacy({ root }: Layout, legacy = readLegacy(layoutOf(root))): void {
  if (legacy === undefined) return;
  throw new Failed({
    kind: 'legacy-directory',
    message: `${root} is linuxkit-nix's, which this program never took over: there is nothing of ours to undo, and nothing was changed. To be rid of it:`,
    hint: 'To go on with it instead: linuxkit-builder configure --take-over.',
    exit: Exit.usage,
    lines: [
      `launchctl remove ${label}; rm -f ~/Library/LaunchAgents/${label}.plist`,
      'take the line Include .../nix-linuxkit-ssh-config out of ~/.ssh/config and ~root/.ssh/config, and delete those files',
      'take the line with nix-linuxkit out of /etc/nix/machines',
      `rm -r '${root}'   # its disk with all that was built, and its keys`,
    ],
  });
}

const isLegacy = (root: string, { files }: LegacyState) => ({
  kind: 'legacy-directory',
  message: `${root} is linuxkit-nix's, and nothing was changed.`,
  hint: `With --take-over, configure goes on with its settings, and sets these aside in ${root}/linuxkit-nix: ${files.join(', ')}. The paths on its disk are built or fetched anew. Or choose another directory with -d.`,
  exit: Exit.usage,
});
