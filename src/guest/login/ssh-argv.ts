/** ssh as the daemon runs it: nothing of the user's, so that it sees what the guest does and not what a config does. */
import { instance } from '../../config/instance.ts';
import type { Layout } from '../../config/layout.ts';
import type { OneShotForward } from './one-shot-forward.ts';

interface SshLogin {
  readonly layout: Pick<Layout, 'knownHosts'>;
  readonly user: 'builder' | 'root';
  /** The private key's file. */
  readonly key: string;
  readonly timeoutMs: number;
}

/** By its shell ssh runs what leads to a socket; the user's own may run nothing, as /bin/false. */
export const sshEnvironment = (env: NodeJS.ProcessEnv): Readonly<Record<string, string>> => {
  const defined = Object.entries(env).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value]],
  );
  return { ...(Object.fromEntries(defined) as Record<string, string>), SHELL: '/bin/sh' };
};

/** Options, the guest's address, and the command that shall run there. */
export function sshArgv(
  { layout, user, key, timeoutMs }: SshLogin,
  forward: OneShotForward,
  command: string,
): string[] {
  const settings = [
    'BatchMode=yes',
    'IdentitiesOnly=yes',
    'IdentityAgent=none',
    'PreferredAuthentications=publickey',
    'StrictHostKeyChecking=yes',
    // Quoted, since ssh splits it at spaces.
    `UserKnownHostsFile="${layout.knownHosts}"`,
    'GlobalKnownHostsFile=none',
    'UpdateHostKeys=no',
    `HostKeyAlias=${instance.sshAlias}`,
    'ControlMaster=no',
    'ControlPath=none',
    'AddressFamily=inet',
    `ConnectTimeout=${Math.ceil(timeoutMs / 1000)}`,
    'LogLevel=ERROR',
  ];
  return [
    '-F',
    'none',
    '-x',
    '-T',
    '-i',
    key,
    ...settings.flatMap((setting) => ['-o', setting]),
    ...(forward.kind === 'tcp'
      ? ['-p', String(forward.port)]
      : ['-o', `ProxyCommand=${forward.command}`]),
    '-l',
    user,
    // The host key is looked up by another name, so that this one only says where.
    '127.0.0.1',
    command,
  ];
}
