/** A Nix of the test's own, that builds on the rig's guest and nowhere else. */
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from './command.ts';
import type { BuilderRig } from './rig.ts';

/**
 * nix-build with a store, a state and a configuration in the rig's directory; told of the builder by the very line that
 * `configure` has for /etc/nix/machines.
 */
export function nixBuild(rig: BuilderRig, file: string, told?: Told): Command {
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
      `@${told?.machines ?? rig.layout.machines}`,
      file,
    ],
    { env: { ...nixEnv(rig), NIX_SSHOPTS: `-F ${told?.sshConfig ?? config}` } },
  );
}

/** Files that nix-build is to read in place of the builder's own; no space is in their paths. */
interface Told {
  readonly machines: string;
  readonly sshConfig: string;
}

/** A second machine, which Nix asks only where it passes the builder over: it is none, and keeps that it was asked. */
export function secondMachine(rig: BuilderRig): Told & { readonly wasAsked: () => boolean } {
  const { layout, dir } = rig;
  const [machines, sshConfig, asked] = ['machines', 'ssh', 'asked'].map((name) =>
    join(dir, `two-${name}`),
  ) as [string, string, string];
  const [uri, systems, key, jobs, , ...rest] = readFileSync(layout.machines, 'utf8')
    .trim()
    .split(' ');
  const line = (who = '', speed = '1') => [who, systems, key, jobs, speed, ...rest].join(' ');
  writeFileSync(machines, `${line(uri, '2')}\n${line('ssh-ng://second-machine')}\n`);
  const own = `Host second-machine\n  ProxyCommand echo >>'${asked}'\n`;
  writeFileSync(sshConfig, `${readFileSync(layout.sshConfig, 'utf8')}\n${own}`);
  rmSync(asked, { force: true });
  return { machines, sshConfig, wasAsked: () => existsSync(asked) };
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
