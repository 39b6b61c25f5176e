/** Texts by which ssh finds the guest: the Host stanza, who includes it, and the guest's known key. Pure. */
import { instance } from '../../config/instance.ts';
import type { NewerOption } from './newer.ts';

/** The name that Nix's line, ssh and people use for the guest. */
export const alias = instance.sshAlias;

/** In seconds: how much longer ssh waits for a connection than the door holds it. */
export const marginSeconds = 10;

/** The guest's user that Nix logs in as (docs/guest-contract.md). */
export const guestUser = 'builder';

/** Where its front door is, to ssh. */
export const guestAddress = '127.0.0.1';

interface StanzaOptions {
  readonly port: number;
  /** How ssh reaches a door that is no port (./door-helper.ts). */
  readonly proxy?: string | undefined;
  readonly identityFile: string;
  readonly knownHosts: string;
  /** How long the door may hold a connection: ssh has to be more patient. */
  readonly holdSeconds: number;
  /** Options of others' that are newer than 7.6, and do not count for the guest. */
  readonly takenBack: readonly NewerOption[];
}

/**
 * The whole ssh_config of ours. ssh takes the first value it meets, so everything that a user's own `Host *` could spoil is
 * said here: jumps, forwardings, agents, other keys, shared connections, questions. Beside those that are taken back no word is newer than
 * OpenSSH 7.6: one that an ssh does not know keeps it from every other host, where our `IgnoreUnknown` does not hold (seen with 8.4).
 */
export function sshConfig(options: StanzaOptions): string {
  const settings = settingsOf(options).map((setting) => `    ${setting}`);
  return [`Host ${alias}`, ...settings, ''].join('\n');
}

/** In the order in which ssh reads them, as words of a line each. */
function settingsOf(options: StanzaOptions): readonly string[] {
  const { port, proxy, identityFile, knownHosts, holdSeconds, takenBack } = options;
  return [
    // One word of another's below that an ssh does not know would keep it from the guest: for this host it is passed over.
    'IgnoreUnknown *',
    `HostName ${guestAddress}`,
    ...(proxy === undefined ? [`Port ${port}`] : []),
    `User ${guestUser}`,
    'AddressFamily inet',
    // An address of the company's network, say, reaches no loopback.
    `BindAddress ${guestAddress}`,
    `ProxyCommand ${proxy ?? 'none'}`,
    // It hands no connection over, and carries the bytes itself.
    ...(proxy === undefined ? [] : ['ProxyUseFdpass no']),
    'CanonicalizeHostname no',
    // Who the guest is: looked up under the alias, since 127.0.0.1 is many machines.
    `HostKeyAlias ${alias}`,
    'HostKeyAlgorithms ssh-ed25519',
    'StrictHostKeyChecking yes',
    'UpdateHostKeys no',
    // A name server knows nothing of the guest, and may be long in saying so.
    'VerifyHostKeyDNS no',
    `UserKnownHostsFile ${quoted(knownHosts)}`,
    'GlobalKnownHostsFile /dev/null',
    // A list that cannot be read speaks against every key.
    'RevokedHostKeys none',
    // Who we are: this key and nothing else, no question asked.
    `IdentityFile ${quoted(identityFile)}`,
    'IdentitiesOnly yes',
    'IdentityAgent none',
    'CertificateFile none',
    'PKCS11Provider none',
    'AddKeysToAgent no',
    'PubkeyAuthentication yes',
    // The older name of PubkeyAcceptedAlgorithms, which every ssh since 7.0 takes.
    'PubkeyAcceptedKeyTypes ssh-ed25519',
    'PreferredAuthentications publickey',
    'BatchMode yes',
    // ssh's own defaults, whatever Host * makes of them: what is added stands in them already (ssh_config(5), since 7.0).
    'KexAlgorithms +curve25519-sha256',
    'Ciphers +aes128-ctr',
    'MACs +hmac-sha2-256',
    // Each end is this machine: compressing is work alone.
    'Compression no',
    // Each connection by itself: a shared one would outlive its guest.
    'ControlMaster no',
    'ControlPath none',
    // A day: a guest that stands still answers nothing, and its builds go on with it. Of one that is gone the door tells by hanging up.
    'ServerAliveInterval 60',
    'ServerAliveCountMax 1440',
    `ConnectTimeout ${holdSeconds + marginSeconds}`,
    // The door waits by itself; where nobody listens Nix is to go on at once.
    'ConnectionAttempts 1',
    'ForwardAgent no',
    'ForwardX11 no',
    'ClearAllForwardings yes',
    'RemoteCommand none',
    // What it says would be read as the answer of the guest's Nix. Nix itself allows its own by ssh's command line, which counts first.
    'PermitLocalCommand no',
    'Tunnel no',
    // A terminal for a person's shell, none for a command, whatever Host * says.
    'RequestTTY auto',
    'LogLevel ERROR',
    ...takenBack.map(({ name, neutral }) => `${name} ${neutral}`),
  ];
}

/** What decides where a stanza of ours leads, and as whom; the rest keeps others' settings away. */
const deciding = ['HostName', 'Port', 'User', 'HostKeyAlias', 'UserKnownHostsFile', 'IdentityFile'];

/** The command by which a stanza of ours reaches the door; undefined where the door is a port. */
export const proxyOf = (stanza: string): string | undefined =>
  /^\s*ProxyCommand (?!none$)(.+)$/m.exec(stanza)?.[1];

/** By whatever program: the socket is its last word. */
const socketOf = (stanza: string): string => proxyOf(stanza)?.split(' ').at(-1) ?? '';

/** True where two texts of ours, of one release or of two, lead ssh to the same guest with the same key. */
export function leadSameWay(one: string, other: string): boolean {
  const way = (text: string) =>
    text
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => deciding.includes(line.split(' ', 1)[0] ?? ''))
      .concat(socketOf(text))
      .sort()
      .join('\n');
  return way(one) === way(other);
}

/** A name that a `Host *` is meant for too, and for which our stanza says nothing: what others' lines do to the guest is asked for by it. */
export const sibling = `${alias}-sibling`;

/**
 * The word of a Match that holds for every host but the guest, and its sibling: ssh takes them in order, and runs no command behind one that
 * does not hold.
 */
export const notGuest = `!originalhost ${alias}*`;

/**
 * A line of an ssh_config: what stands below it, up to the next Host or Match, is for every host but the guest. By the name that was asked
 * for: when ssh has read our HostName, the `host` of a Match is 127.0.0.1.
 */
export const exceptGuest = `Match ${notGuest}`;

/** The line by which another ssh_config takes in ours. */
export const includeLine = (path: string): string => `Include ${quoted(path)}`;

/** What ssh compares the guest's key with. */
export const knownHostsLine = (hostPublicKey: string): string =>
  `${alias} ${bareKey(hostPublicKey)}\n`;

/** Type and key of a public key line, without its comment. */
export const bareKey = (publicKey: string): string =>
  publicKey.trim().split(/\s+/).slice(0, 2).join(' ');

/** For ssh_config(5), which knows no way to write a quote inside quotes; such directories are refused beforehand. */
const quoted = (path: string): string => `"${path}"`;
