/** Which Nix this machine has, seen from its files and from its own words: who looks after its settings, and how it runs. */
import { OthersFiles } from '../system/files/others-files.ts';
import { finalTarget } from '../system/files/final-target.ts';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { tryProgram } from '../system/process/find-program.ts';
import type { CliContext } from '../command/context.ts';
import { statsIfThere } from '../system/stats.ts';
import { systemPathsOf } from '../host/system-paths.ts';
import { daemonVariable, unescaped } from './daemon-environment.ts';
import { askVersion, type RefusedSettings } from './settings/refused-settings.ts';

/** What is to be known of it before its settings are changed. */
export interface NixVariant {
  readonly flavour: 'nix' | 'lix' | 'determinate';
  /** Who makes /etc/nix: a person, or a configuration that would undo what a person does there. */
  readonly keeper: 'person' | 'determinate' | 'nix-darwin' | 'nixos';
  /** Whether a configuration that keeps this machine makes Nix's own settings too: with nix.enable = false nix-darwin does not. */
  readonly declaresNix: boolean;
  /** Builds are made by a daemon that is root, or by whoever calls Nix. */
  readonly mode: 'multi-user' | 'single-user';
  /** Of Nix itself. */
  readonly version: string | undefined;
  /** Determinate's own number. */
  readonly release: string | undefined;
  /** Has the daemon read nix.conf anew; undefined where there is none to tell. */
  readonly restart: string | undefined;
  /** Where a person may write settings. */
  readonly settingsFile: string;
  /** Settings with which it does nothing at all. */
  readonly refused?: RefusedSettings;
  /** Why its program does not run. */
  readonly broken?: string;
}

/** This machine's, asked of nix itself; undefined where there is none. */
export async function findNix({ env, signal }: CliContext): Promise<NixVariant | undefined> {
  const tree = env['LINUXKIT_BUILDER_TREE'] ?? '';
  const nix = tryProgram('nix', env['PATH']);
  if (nix === undefined) return detectNix(tree, undefined);
  const systemPaths = systemPathsOf(tree);
  const daemons = daemonVariable('NIX_CONFIG', tree, new OthersFiles());
  const asked = { nix, env, systemPaths, tree, daemons: daemons && unescaped(daemons), signal };
  const { said, ...wrong } = await askVersion(asked);
  const variant = detectNix(tree, said);
  return variant && { ...variant, ...wrong };
}

/** `tree` stands for /, `said` is what `nix --version` prints. Undefined where there is no Nix. */
export function detectNix(
  tree: string,
  said: string | undefined,
  platform: NodeJS.Platform = process.platform,
): NixVariant | undefined {
  const at = (path: string) => join(tree === '' ? '/' : tree, path);
  if (said === undefined && !existsSync(at('/nix'))) return undefined;
  const keeper = keeperOf(at);
  const flavour = flavourOf(said ?? '', keeper, at);
  const darwin = keeper === 'nix-darwin' || platform === 'darwin';
  const mode = modeOf(at, keeper);
  const label =
    flavour === 'determinate' ? 'systems.determinate.nix-daemon' : 'org.nixos.nix-daemon';
  const restart = darwin
    ? `sudo launchctl kickstart -k system/${label}`
    : hasSystemd(tree)
      ? 'sudo systemctl restart nix-daemon'
      : 'restart nix-daemon';
  return {
    flavour,
    keeper,
    declaresNix: keeper === 'nixos' || (keeper === 'nix-darwin' && isMade(at('/etc/nix/nix.conf'))),
    mode,
    release: /Determinate Nix (\d[\w.+-]*)/.exec(said ?? '')?.[1],
    version: /(\d+\.\d+[\w.+-]*)\s*$/m.exec(said ?? '')?.[1],
    restart: mode === 'multi-user' ? restart : undefined,
    // Determinate makes nix.conf anew at each start of its daemon, and takes this file in.
    settingsFile: flavour === 'determinate' ? '/etc/nix/nix.custom.conf' : '/etc/nix/nix.conf',
  };
}

/** As sd_booted(3) tells it; another machine's, in a tree, counts as one with it. */
const hasSystemd = (tree: string): boolean => tree !== '' || existsSync('/run/systemd/system');

/** The variant in words: `Determinate Nix 3.8.4 (Nix 2.30), multi-user`. */
export function describeNix(variant: NixVariant): string {
  const { flavour, keeper, declaresNix, mode, version, release } = variant;
  const name = { nix: 'Nix', lix: 'Lix', determinate: 'Determinate Nix' }[flavour];
  const isAlone = !declaresNix && flavour !== 'determinate';
  const darwin = isAlone
    ? ', not managed by nix-darwin (nix.enable = false)'
    : ', managed by nix-darwin';
  const by = { person: '', determinate: '', 'nix-darwin': darwin, nixos: ', managed by NixOS' };
  const number = release === undefined ? version : `${release} (Nix ${version ?? 'unknown'})`;
  return `${name}${number === undefined ? '' : ` ${number}`}, ${mode}${by[keeper]}`;
}

/**
 * Who makes Nix's list of builders. With nix.enable = false nix-darwin leaves Nix alone, beside Determinate Nix and without it: then it
 * ignores nix.buildMachines without a word, and the list is a person's (or that of Determinate's own module).
 */
export function machinesKeeper(variant: NixVariant | undefined): NixVariant['keeper'] {
  if (variant === undefined) return 'person';
  const { flavour, keeper, declaresNix } = variant;
  if (keeper !== 'nix-darwin') return keeper;
  if (flavour === 'determinate') return 'determinate';
  return declaresNix ? keeper : 'person';
}

type At = (path: string) => string;

function keeperOf(at: At): NixVariant['keeper'] {
  if (existsSync(at('/etc/NIXOS'))) return 'nixos';
  // nix-darwin's /etc/static leads to the store; the file names the version of the system.
  if (existsSync(at('/run/current-system/darwin-version')) || isStored(at('/etc/static')))
    return 'nix-darwin';
  if (isStored(at('/etc/nix/nix.conf'))) return 'nixos';
  return isDeterminate(at) ? 'determinate' : 'person';
}

function flavourOf(said: string, keeper: NixVariant['keeper'], at: At): NixVariant['flavour'] {
  if (/\bLix\b/i.test(said)) return 'lix';
  if (/Determinate/i.test(said) || keeper === 'determinate' || isDeterminate(at))
    return 'determinate';
  return /\blix\b/i.test(textOf(at('/nix/receipt.json'))) ? 'lix' : 'nix';
}

const isDeterminate = (at: At): boolean =>
  existsSync(at('/nix/determinate')) ||
  existsSync(at('/usr/local/bin/determinate-nixd')) ||
  existsSync(at('/Library/LaunchDaemons/systems.determinate.nix-daemon.plist')) ||
  /^\s*!?include\s+nix\.custom\.conf/m.test(textOf(at('/etc/nix/nix.conf')));

function modeOf(at: At, keeper: NixVariant['keeper']): NixVariant['mode'] {
  if (keeper !== 'person') return 'multi-user';
  const signs = [
    '/nix/var/nix/daemon-socket',
    '/Library/LaunchDaemons/org.nixos.nix-daemon.plist',
    '/etc/systemd/system/nix-daemon.service',
    '/usr/lib/systemd/system/nix-daemon.service',
    '/lib/systemd/system/nix-daemon.service',
  ];
  if (signs.some((path) => existsSync(at(path)))) return 'multi-user';
  // A store of root's is written by root alone.
  const store = statsIfThere(at('/nix/store'));
  return store !== undefined && (store.uid !== 0 || (store.mode & 0o1000) === 0)
    ? 'single-user'
    : 'multi-user';
}

const isStored = (path: string): boolean => finalTarget(path).startsWith('/nix/store/');

/** By a configuration: it leads there by /etc/static. */
const isMade = (path: string): boolean =>
  isStored(path) || finalTarget(path).startsWith('/etc/static/');

const textOf = (path: string): string => new OthersFiles().read(path) ?? '';
