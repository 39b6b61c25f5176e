/** Where the files of others are that configure adds to. */
import { join } from 'node:path';
import { instance } from '../config/instance.ts';
import { readIfThere } from '../system/files/files.ts';
import { thisUser } from '../system/host/user.ts';

/** Absolute paths; tests give a tree of their own. */
export interface SystemPaths {
  /** Home of the user who owns the daemon, and where ssh looks for its configuration. */
  readonly home: string;
  /** Root's, where the ssh that nix-daemon runs looks. */
  readonly rootHome: string;
  /** Nix's own configuration directory. */
  readonly etcNix: string;
  /** The files that only root writes. */
  readonly roots: RootPaths;
}

export type RootPaths = ReturnType<typeof rootPaths>;

export function rootPaths({ rootHome, etcNix }: Pick<SystemPaths, 'rootHome' | 'etcNix'>) {
  const ours = join(etcNix, instance.rootDirectory);
  return {
    nix: etcNix,
    /** Root's own of ours: nobody else writes in it. */
    directory: ours,
    machines: join(etcNix, 'machines'),
    nixConf: join(etcNix, 'nix.conf'),
    ssh: join(rootHome, '.ssh/config'),
    sshConfig: join(ours, 'ssh_config'),
    /** Made by root, for root: nobody else ever sees it. */
    clientKey: join(ours, 'client_ed25519'),
    /** Its public half, of which the daemon tells the guest. */
    clientPublicKey: join(ours, 'client_ed25519.pub'),
    knownHosts: join(ours, 'known_hosts'),
    /** The builder's line, which Nix's list takes in. */
    list: join(ours, 'machines'),
    /** The owner's alone, where the front door is a Unix socket; and that socket, made by the daemon. */
    door: join(ours, 'door'),
    doorSocket: join(ours, 'door/socket'),
    /** Whose builder it is. */
    installed: join(ours, 'installed.json'),
    /** What root's script made where nothing was, a path a line. */
    made: join(ours, 'made'),
  };
}

/**
 * This machine's. ssh takes homes from the user database and not from HOME, and nix-daemon has no HOME at all. With a tree,
 * that directory stands for /.
 */
export function systemPathsOf(tree = ''): SystemPaths {
  const at = (path: string) => (tree === '' ? path : join(tree, path));
  return withRoots({ home: at(thisUser().home), rootHome: at(rootHome()), etcNix: at('/etc/nix') });
}

export const withRoots = (systemPaths: Omit<SystemPaths, 'roots'>): SystemPaths => ({
  ...systemPaths,
  roots: rootPaths(systemPaths),
});

function rootHome(): string {
  if (process.getuid?.() === 0) return thisUser().home;
  if (process.platform === 'darwin') return '/var/root';
  return /^root:(?:[^:]*:){4}([^:]+):/m.exec(readIfThere('/etc/passwd') ?? '')?.[1] ?? '/root';
}
