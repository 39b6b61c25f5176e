/** What Nix is told, file by file and variable by variable: nix-daemon, and you. */
import { join } from 'node:path';
import type { SystemPaths } from '../host/system-paths.ts';
import type { OthersFiles } from '../system/files/others-files.ts';
import { settingOf, type NixSetting } from './conf.ts';
import { daemonVariable, unescaped, type Variable } from './daemon-environment.ts';
import type { NixVariant } from './variant.ts';

/** Whose settings are read. */
export interface NixOptions {
  readonly systemPaths: SystemPaths;
  readonly tree: string;
  readonly variant: NixVariant | undefined;
  readonly env: NodeJS.ProcessEnv;
}

/** The definition of a setting that counts. */
export type Find = (name: string) => NixSetting | undefined;
type FindVariable = (name: string) => Variable | undefined;

/** What is known of one Nix: nix-daemon's, or your own. */
export interface OneNix {
  readonly whose: 'all' | 'yours';
  readonly find: Find;
  /** A variable of its environment. */
  readonly variable: FindVariable;
  /** The folder of this machine's nix.conf. */
  readonly etcNix: string;
  /** Without a daemon it builds itself, wherever it is told to. */
  readonly isSingle: boolean;
  /** Root may build without the daemon, and finds the builder all the same. */
  readonly isRoot: boolean;
}

/** The one that builds for all, and yours. Without a daemon you are the one, by all settings. */
export function nixesHere(
  options: NixOptions,
  others: OthersFiles,
): { readonly daemons: OneNix; readonly yours: OneNix } {
  const files = settingFiles(options);
  const isSingle = options.variant?.mode === 'single-user';
  const ofDaemon = (name: string) => daemonVariable(name, options.tree, others);
  const config = ofDaemon('NIX_CONFIG');
  const ofYou = (name: string) => {
    const value = options.env[name];
    return value === undefined ? undefined : { file: 'your environment', value };
  };
  const inDaemon = finder(
    [...files.daemons, variable],
    config && { ...config, value: unescaped(config) },
    others,
  );
  const inAll = finder([...files.daemons, ...files.yours], ofYou('NIX_CONFIG'), others);
  const inYours = finder(files.yours, ofYou('NIX_CONFIG'), others);
  const { etcNix } = options.systemPaths;
  const here = { etcNix, isSingle, isRoot: process.geteuid?.() === 0 };
  return {
    daemons: { ...here, whose: 'all', find: isSingle ? inAll : inDaemon, variable: ofDaemon },
    yours: { ...here, whose: 'yours', find: isSingle ? inAll : inYours, variable: ofYou },
  };
}

/** Stands among files for what the variable says. */
const variable = 'NIX_CONFIG';

function finder(paths: readonly string[], said: Variable | undefined, others: OthersFiles): Find {
  const read = (path: string) => (path === variable ? said?.value : others.read(path));
  const named = (setting: NixSetting) =>
    setting.file === variable && said !== undefined
      ? { ...setting, file: `${variable} in ${said.file}` }
      : setting;
  return (name) => {
    const found = paths.map((path) => settingOf(name, path, read)).findLast(Boolean);
    return found && named(found);
  };
}

/**
 * Where Nix looks (loadConfFile): nix.conf, then files of whoever runs it, then NIX_CONFIG; what is read later counts. The daemon is root;
 * without one it is you, and then yours count for every build.
 */
function settingFiles({ systemPaths, tree, env }: NixOptions) {
  const { home, rootHome } = systemPaths;
  const at = (path: string) => join(tree === '' ? '/' : tree, path);
  const conf = (folder: string) => join(folder, 'nix/nix.conf');
  const own = env['XDG_CONFIG_HOME'];
  const named = env['NIX_USER_CONF_FILES'];
  const shared = (env['XDG_CONFIG_DIRS'] ?? '/etc/xdg').split(':');
  const yours =
    named === undefined
      ? [conf(own === undefined ? join(home, '.config') : at(own)), ...shared.map(at).map(conf)]
      : named.split(':').filter(Boolean).map(at);
  const daemons = [systemPaths.roots.nixConf, conf(join(rootHome, '.config'))];
  return {
    daemons,
    // Of several the first goes before the others, so that it is read last.
    yours: [...yours.filter((path) => !daemons.includes(path)).reverse(), variable],
  };
}
