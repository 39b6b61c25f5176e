import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { withBlock } from '../../src/host/managed-block.ts';
import { includeLine, knownHostsLine, sshConfig } from '../../src/nix/ssh/stanza.ts';
import { run, succeeded } from '../../src/system/process/child.ts';
import { removeTree } from '../remove-tree.ts';

const directory = mkdtempSync(join(tmpdir(), 'ssh test ü-'));
afterAll(() => removeTree(directory));

const ours = join(directory, 'state dir', 'ssh_config');
const text = sshConfig({
  port: 24083,
  holdSeconds: 180,
  identityFile: join(directory, 'state dir', 'client_ed25519'),
  knownHosts: join(directory, 'state dir', 'known_hosts'),
  takenBack: [],
});

/** What the real ssh makes of a configuration for our alias. */
async function parsed(config: string): Promise<Map<string, string>> {
  const file = join(directory, 'config');
  mkdirSync(join(directory, 'state dir'), { recursive: true });
  writeFileSync(ours, text);
  writeFileSync(file, withBlock(Buffer.from(config), [includeLine(ours)], 'first'));
  const ran = await run('ssh', ['-G', '-F', file, 'nix-linuxkit'], { timeoutMs: 10_000 });
  expect(ran.stderr).toBe('');
  expect(succeeded(ran)).toBe(true);
  return new Map(
    ran.stdout
      .trim()
      .split('\n')
      .map((line) => [line.split(' ', 1)[0] ?? '', line.slice(line.indexOf(' ') + 1)]),
  );
}

const wordsIn = (config: string): readonly string[] =>
  config.match(/^ +\S+/gm)?.map((word) => word.trim()) ?? [];

/** RemoteCommand came with 7.6, the others before (OpenSSH's release notes). */
const oldWords = [
  'IgnoreUnknown',
  'HostName',
  'Port',
  'User',
  'AddressFamily',
  'BindAddress',
  'ProxyCommand',
  'CanonicalizeHostname',
  'HostKeyAlias',
  'HostKeyAlgorithms',
  'StrictHostKeyChecking',
  'UpdateHostKeys',
  'VerifyHostKeyDNS',
  'UserKnownHostsFile',
  'GlobalKnownHostsFile',
  'RevokedHostKeys',
  'IdentityFile',
  'IdentitiesOnly',
  'IdentityAgent',
  'CertificateFile',
  'PKCS11Provider',
  'AddKeysToAgent',
  'PubkeyAuthentication',
  'PubkeyAcceptedKeyTypes',
  'PreferredAuthentications',
  'BatchMode',
  'KexAlgorithms',
  'Ciphers',
  'MACs',
  'Compression',
  'ControlMaster',
  'ControlPath',
  'ServerAliveInterval',
  'ServerAliveCountMax',
  'ConnectTimeout',
  'ForwardAgent',
  'ForwardX11',
  'ConnectionAttempts',
  'ClearAllForwardings',
  'RemoteCommand',
  'PermitLocalCommand',
  'Tunnel',
  'RequestTTY',
  'LogLevel',
];

const expected = {
  hostname: '127.0.0.1',
  port: '24083',
  user: 'builder',
  hostkeyalias: 'nix-linuxkit',
  identityfile: join(directory, 'state dir', 'client_ed25519'),
  userknownhostsfile: join(directory, 'state dir', 'known_hosts'),
  identitiesonly: 'yes',
  identityagent: 'none',
  stricthostkeychecking: 'true',
  controlmaster: 'false',
  connecttimeout: '190',
  serveraliveinterval: '60',
  serveralivecountmax: '1440',
  loglevel: 'ERROR',
  forwardagent: 'no',
  requesttty: 'auto',
  addressfamily: 'inet',
  batchmode: 'yes',
  clearallforwardings: 'yes',
};

describe('the ssh configuration, as ssh reads it', () => {
  test('says where and who, with a space and an umlaut in the paths', async () => {
    const found = await parsed('');
    expect(Object.fromEntries(Object.keys(expected).map((key) => [key, found.get(key)]))).toEqual(
      expected,
    );
  });

  // Behaviour 189: Builds still work if the user's own ssh configuration has an option that one of this machine's ssh
  // programs does not know. None of our options prevents an older ssh from reaching any host.
  test("is not spoilt by other people's settings, above all by Host *", async () => {
    const spoilers = [
      'ProxyJump elsewhere.example',
      'Host *',
      '  User somebody',
      '  Port 22',
      '  ControlMaster auto',
      '  ControlPath ~/.ssh/%r@%h:%p',
      '  IdentityFile ~/.ssh/other',
      '  IdentityAgent /tmp/agent.sock',
      '  RequestTTY force',
      '  RemoteCommand tmux',
      '  ForwardAgent yes',
      '  LocalForward 8080 localhost:80',
      '  StrictHostKeyChecking no',
      '  HostKeyAlgorithms rsa-sha2-512',
      '  PubkeyAuthentication no',
      '  PubkeyAcceptedAlgorithms ecdsa-sha2-nistp256,rsa-sha2-256',
      '  KexAlgorithms diffie-hellman-group16-sha512',
      '  Ciphers aes256-cbc',
      '  MACs hmac-sha1',
      '  BindAddress 10.1.2.3',
      '  Compression yes',
      '  CertificateFile ~/.ssh/other-cert.pub',
      '  PKCS11Provider /usr/lib/other.so',
      '  VerifyHostKeyDNS yes',
      '  Tunnel yes',
      '  PermitLocalCommand yes',
      '  LocalCommand echo connected',
      '  RevokedHostKeys /none/revoked',
      '  ConnectionAttempts 30',
      '  AddressFamily inet6',
      '  ProxyCommand nc %h %p',
      '  CanonicalizeHostname yes',
      '  HostKeyAlias somebody',
      '  UpdateHostKeys yes',
      '  UserKnownHostsFile ~/.ssh/other_hosts',
      '  GlobalKnownHostsFile /none/known_hosts',
      '  IdentitiesOnly no',
      '  AddKeysToAgent yes',
      '  PreferredAuthentications password,publickey',
      '  BatchMode no',
      '  ServerAliveInterval 5',
      '  ServerAliveCountMax 1',
      '  ConnectTimeout 1',
      '  ForwardX11 yes',
      '  ClearAllForwardings no',
      '  LogLevel QUIET',
      // A word of another ssh's, or of one to come.
      '  UseKeychainOfMacOS yes',
      'Host nix-linuxkit',
      '  HostName 10.0.0.1',
      '',
    ].join('\r\n');
    // Nothing is said for no reason; PubkeyAcceptedKeyTypes has another name by now.
    const others = wordsIn(spoilers);
    const unneeded = wordsIn(text).filter((word) => !others.includes(word));
    expect(unneeded).toEqual(['IgnoreUnknown', 'PubkeyAcceptedKeyTypes']);
    const clean = await parsed('');
    const spoilt = await parsed(spoilers);
    // ssh collects the keys of all blocks; with IdentitiesOnly the first that fits is ours.
    // A command of somebody's that is not permitted does nothing.
    for (const key of ['identityfile', 'localforward', 'certificatefile', 'localcommand']) {
      clean.delete(key);
      spoilt.delete(key);
    }
    expect(spoilt).toEqual(clean);
  });

  test('has no word that is newer than OpenSSH 7.6, which would keep an older ssh from every host', () => {
    const words = wordsIn(text);
    expect(words.length).toBeGreaterThan(30);
    expect(words.filter((word) => !oldWords.includes(word))).toEqual([]);
  });

  test('leaves other hosts as they were', async () => {
    const file = join(directory, 'config');
    await parsed('Host other\n  Port 2222\n');
    const { stdout } = await run('ssh', ['-G', '-F', file, 'other'], { timeoutMs: 10_000 });
    expect(stdout).toContain('port 2222');
    expect(stdout).not.toContain('nix-linuxkit');
  });
});

test('the known key stands under the alias, without its comment', () => {
  expect(knownHostsLine('ssh-ed25519 AAAA host comment\n')).toBe('nix-linuxkit ssh-ed25519 AAAA\n');
});
