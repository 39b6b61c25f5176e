/** A Nix of the test's own, that builds on the rig's guest and nowhere else. */
import { existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from './command.ts';
import type { BuilderRig } from './rig.ts';

/**
 * nix-build with a store, a state and a configuration in the rig's directory; told of the builder by the very line that
 * `configure` has for /etc/nix/machines.
 */
export function nixBuild(rig: BuilderRig, file: string): Command {
  const nix = join(rig.dir, 'nix');
  mkdirSync(join(nix, 'conf'), { recursive: true });
  // NIX_SSHOPTS is split at spaces, which the state directory may have.
  const config = join(nix, 'ssh_config');
  if (!existsSync(config)) symlinkSync(rig.layout.sshConfig, config);
  return rig.run(
    [
      'nix-build',
      '--no-out-link',
      '--max-jobs',
      '0',
      '--store',
      nixStore(rig),
      // Nobody else has these outputs, and to ask for them where there is no network takes five seconds.
      '--option',
      'build-users-group',
      '',
      '--option',
      'substitute',
      'false',
      '--builders',
      `@${rig.layout.machines}`,
      file,
    ],
    { env: { ...nixEnv(rig), NIX_SSHOPTS: `-F ${config}` } },
  );
}

/** What its programs need to be of that state and configuration. */
export function nixEnv(rig: BuilderRig) {
  const nix = join(rig.dir, 'nix');
  return {
    NIX_CONF_DIR: join(nix, 'conf'),
    NIX_STATE_DIR: join(nix, 'state'),
    NIX_LOG_DIR: join(nix, 'log'),
  };
}

/** Where the files of /nix/store are on this host. */
export const nixStore = (rig: BuilderRig): string => join(rig.dir, 'nix/root');

/** The content of what a build made. */
export const builtText = (rig: BuilderRig, { stdout }: Command): string =>
  readFileSync(join(nixStore(rig), stdout.trim()), 'utf8');
