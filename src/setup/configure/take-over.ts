/** What is done about a state directory of linuxkit-nix: `configure` goes on from it when asked to, and not otherwise. */
import { layoutOf, type Layout } from '../../config/layout.ts';
import { label } from '../../service/launchd/launch-agent.ts';
import { readLegacy, type LegacyState } from '../legacy.ts';
import { Exit, Failed, type Failure } from '../../system/failure.ts';
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

export const itsVmLives = (root: string, pid: number) => ({
  kind: 'legacy-vm-lives',
  message: `linuxkit-nix's VM in ${root} is still running (pid ${pid}). Nothing was changed.`,
  hint: `Stop it: launchctl stop ${label}. If it is still running after a minute: kill ${pid}. Then run this again.`,
  exit: Exit.temporary,
});

/** For `unconfigure`, which undoes what we did: fails on a directory that we never took over, and says how it is removed. */
export function refuseLegacy({ root }: Layout, legacy = readLegacy(layoutOf(root))): void {
  if (legacy !== undefined) throw new Failed(wasNeverOurs(root));
}

export const wasNeverOurs = (root: string): Failure => ({
  kind: 'legacy-directory',
  message: `${root} belongs to linuxkit-nix and was never taken over, so there is nothing to undo. Nothing was changed. To remove it:`,
  hint: 'To take it over instead: linuxkit-builder configure --take-over',
  exit: Exit.usage,
  lines: [
    `launchctl remove ${label}; rm -f ~/Library/LaunchAgents/${label}.plist`,
    'remove the line Include .../nix-linuxkit-ssh-config from ~/.ssh/config and ~root/.ssh/config, and delete the files that it names',
    'remove the line with nix-linuxkit from /etc/nix/machines',
    `rm -r '${root}'   # its disk with everything that was built, and its keys`,
  ],
});

export const isLegacy = (root: string, { files }: LegacyState) => ({
  kind: 'legacy-directory',
  message: `${root} belongs to linuxkit-nix. Nothing was changed.`,
  hint: `With --take-over, configure keeps its settings and moves these files to ${root}/linuxkit-nix: ${files.join(', ')}. The store paths on its disk are then built or downloaded again. Or choose another directory with -d.`,
  exit: Exit.usage,
});
