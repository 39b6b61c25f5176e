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

/** Options, the guest's address, and the command that shall run there. */
export function sshArgv(
  { layout, user, key, timeoutMs }: SshLogin,
  { host, port }: OneShotForward,
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
    '-p',
    String(port),
    '-l',
    user,
    host,
    command,
  ];
}
