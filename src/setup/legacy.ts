/**
 * A state directory of linuxkit-nix, from which this program comes: its settings, and what of it stands in our way. `configure` goes on
 * from it when asked to, and not otherwise.
 */
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { layoutOf, type Layout } from '../config/layout.ts';
import { label } from '../service/launchd/launch-agent.ts';
import { Exit, Failed, type Failure } from '../system/failure.ts';
import { readIfThere } from '../system/files/files.ts';
import { identify } from '../system/process/process.ts';
import type { AskedSettings } from './configure/new-settings.ts';
import type { ConfigureFlags } from './configure/request.ts';
import { quotedWord } from '../system/shell.ts';
import { advice, ours } from '../system/advice.ts';
import { statsIfThere } from '../system/stats.ts';

export interface LegacyState {
  /** Its settings as ours. CPUs it did not keep. */
  readonly asked: AskedSettings;
  /** Files of its own that mean nothing to us, and its disk, which our guest would not mount. */
  readonly files: readonly string[];
  /** Its VM, if that lives: two on one disk would spoil it. */
  readonly vmPid: number | undefined;
}

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

/** Undefined where the directory is none of linuxkit-nix, or was taken over before. */
export function readLegacy({ root, config }: Layout): LegacyState | undefined {
  const text = settingsOf(root);
  if (text === undefined || readIfThere(config) !== undefined) return undefined;
  const files = names.filter((name) => statsIfThere(join(root, name)) !== undefined);
  return { asked: settingsIn(text), files, vmPid: vmPidIn(root) };
}

/**
 * Moves its files into a folder beside ours; nothing is deleted. The folder's path. Its settings stay until ours are
 * written: a take-over that was cut short is taken up again by them.
 */
export function setAside({ root }: Layout, { files }: LegacyState): string {
  const folder = asideIn(root);
  mkdirSync(join(folder, 'keys'), { recursive: true, mode: 0o700 });
  for (const name of files.filter((each) => each !== settingsName))
    renameSync(join(root, name), join(folder, name));
  return folder;
}

/** Its settings too, once ours are written; also after a take-over that was cut short between the two. */
export function finishTakeOver({ root }: Layout): void {
  if (existsSync(asideIn(root)) && settingsOf(root) !== undefined)
    renameSync(join(root, settingsName), join(asideIn(root), settingsName));
}

const asideIn = (root: string): string => join(root, 'linuxkit-nix');
const settingsName = 'configure';

const names = [
  settingsName,
  'server-config.tar',
  'gcroot',
  'nix-disk',
  'nix-state',
  'keys/client',
  'keys/client.pub',
  'keys/ssh_host_ecdsa_key',
  'keys/ssh_host_ecdsa_key.pub',
  'keys/known_host',
];

function settingsOf(root: string): string | undefined {
  const text = readIfThere(join(root, settingsName));
  return text !== undefined && /^SIZE=\d+$/m.test(text) ? text : undefined;
}

function vmPidIn(root: string): number | undefined {
  const pid = Number(readIfThere(join(root, 'nix-state/hyperkit.pid')));
  const isVm = pid > 1 && identify(pid)?.program.includes('hyperkit') === true;
  return isVm ? pid : undefined;
}

/** A script of assignments, read and not run. */
function settingsIn(text: string): AskedSettings {
  const value = (name: string) => new RegExp(`^${name}=(.*)$`, 'm').exec(text)?.[1]?.trim() ?? '';
  const number = (name: string) => {
    const found = Number(value(name));
    return found > 0 ? found : undefined;
  };
  // It offered kvm whether the guest had it or not.
  const features = value('FEATURES')
    .split(',')
    .filter((word) => word !== '' && word !== 'kvm');
  return {
    diskGiB: number('SIZE'),
    memoryMiB: number('MEM'),
    features: features.length === 0 ? undefined : features,
  };
}

/** Its line in an ssh configuration: the file that it names sends ssh elsewhere. Not one that names other files too. */
export function isLegacyInclude(line: string): boolean {
  const path = /^\s*Include\s+"?([~/].*\/nix-linuxkit-ssh-config)"?\s*$/i.exec(line)?.[1];
  return path !== undefined && !/\s[~/]|"/.test(path);
}

/** For `unconfigure`, which undoes what we did: fails on a directory that we never took over, and says how it is removed. */
export function refuseLegacy({ root }: Layout, legacy = readLegacy(layoutOf(root))): void {
  if (legacy !== undefined) throw new Failed(wasNeverOurs(root));
}

export const itsVmLives = (root: string, pid: number) => ({
  kind: 'legacy-vm-lives',
  message: `linuxkit-nix's VM in ${root} is still running (pid ${pid}). Nothing was changed.`,
  hint: `Stop it: launchctl stop ${label}. If it is still running after a minute: kill ${pid}. Then run this again.`,
  exit: Exit.temporary,
});

export const wasNeverOurs = (root: string): Failure => ({
  kind: 'legacy-directory',
  message: `${root} belongs to linuxkit-nix and was never taken over, so there is nothing to undo. Nothing was changed. To remove it:`,
  hint: advice`To take it over instead: ${ours('configure', '--take-over')}`,
  exit: Exit.usage,
  lines: [
    `launchctl remove ${label}; rm -f ~/Library/LaunchAgents/${label}.plist`,
    'remove the line Include .../nix-linuxkit-ssh-config from ~/.ssh/config and ~root/.ssh/config, and delete the files that it names',
    'remove the line with nix-linuxkit from /etc/nix/machines',
    `rm -r ${quotedWord(root)}   # its disk with everything that was built, and its keys`,
  ],
});

export const isLegacy = (root: string, { files }: LegacyState) => ({
  kind: 'legacy-directory',
  message: `${root} belongs to linuxkit-nix. Nothing was changed.`,
  hint: `With --take-over, configure keeps its settings and moves these files to ${root}/linuxkit-nix: ${files.join(', ')}. The store paths on its disk are then built or downloaded again. Or choose another directory with -d.`,
  exit: Exit.usage,
});
