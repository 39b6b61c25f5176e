import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { needs } from '../needs.ts';

const checkout = resolve(import.meta.dirname, '../..');
const cache = join(checkout, '.cache/hosts');
/** Namespaces need root, and the directories are made by `scripts/test hosts`. */
/** Long enough for a machine half as fast as the slowest that was seen, on which four loops run. */
const limitMs = 600_000;

interface Host {
  readonly suite: string;
  /** What is expected of `--version`, so that a cache of something else is noticed. */
  readonly node: RegExp;
  readonly qemu: RegExp;
  readonly nix: RegExp;
  readonly ssh: RegExp;
  /** An older release beside it, whose Nix is a client of the builder. */
  readonly client?: string;
}

const hosts: readonly Host[] = [
  {
    suite: 'bookworm',
    node: /^v20\.20\./,
    qemu: / 7\.2\./,
    nix: / 2\.8\./,
    ssh: /OpenSSH_9\.2/,
    client: 'bullseye',
  },
  {
    suite: 'trixie',
    node: /^v20\.19\./,
    qemu: / 10\.0\./,
    nix: / 2\.26\./,
    ssh: /OpenSSH_10\.0/,
  },
  // What testing has moves on: here it is the newest of everything.
  { suite: 'testing', node: /^v2[4-9]\./, qemu: / 1[1-9]\./, nix: / 2\.3\d\./, ssh: /OpenSSH_1\d/ },
];

describe.each(hosts)('Debian $suite', needs('root', 'Linux'), (host) => {
  const facts = new Map<string, string>();
  let all = '';
  const client = host.client === undefined ? undefined : join(cache, host.client);
  const hasClient = client !== undefined && existsSync(client);

  beforeAll(async () => {
    ({ all } = await lifeOn(host.suite, hasClient ? [client] : []));
    for (const [, name = '', value = ''] of all.matchAll(/^FACT (\S+) (.*)$/gm))
      facts.set(name, value);
  }, limitMs);

  test('is the release that is meant', () => {
    expect(facts.get('node'), all).toMatch(host.node);
    expect(facts.get('qemu')).toMatch(host.qemu);
    expect(facts.get('nix')).toMatch(host.nix);
    expect(facts.get('ssh')).toMatch(host.ssh);
  });
  test("an ordinary user's first command ends with what the guest built", () => {
    expect(facts.get('built'), all).toMatch(/^Linux version .*Debian/);
    expect(facts.get('daemon-user')).toBe('owner');
  });
  test('another user builds through nix-daemon', () =>
    expect(facts.get('another-built'), all).toMatch(/^Linux version .*Debian/));
  test('doctor finds nothing bad', () => {
    const { findings } = JSON.parse(facts.get('doctor') ?? '{}') as {
      findings: { name: string; kind: string }[];
    };
    expect(
      findings.filter(({ kind }) => kind === 'bad'),
      all,
    ).toEqual([]);
    expect(findings.filter(({ kind }) => kind === 'good').map(({ name }) => name)).toContain(
      'build',
    );
  });
  test('stop stops, and unconfigure --purge leaves nothing', () => {
    expect(facts.get('running-after-stop'), all).toBe('false');
    expect(facts.get('left'), all).toBe('nothing');
    expect(facts.get('state-directory')).toBe('gone');
    expect(facts.get('processes-left')).toBe('');
  });
  if (host.client !== undefined)
    test(
      `${host.client}'s Nix, as a client, builds or is refused by a sentence`,
      needs({
        what: `the root directory of ${host.client}, which the mirror lacks`,
        isMet: hasClient,
      }),
      () => {
        expect(facts.get('client-nix'), all).toMatch(/ 2\.3\./);
        expect(facts.get('client-built'), all).toMatch(/^Linux version .*Debian/);
        expect(facts.get('client-other-host')).toBe('hostname other.example');
      },
    );
});

async function lifeOn(suite: string, more: readonly string[]): Promise<{ readonly all: string }> {
  const script = join(import.meta.dirname, 'world.sh');
  const registry = readFileSync(join(cache, 'registry'), 'utf8').trim();
  const argv = ['--mount', '--propagation', 'private', '--pid', '--net', '--fork', '--kill-child'];
  argv.push('sh', script, checkout, join(cache, suite), join(cache, 'npm'), registry, ...more);
  const env = { PATH: '/usr/bin:/bin:/usr/sbin:/sbin' };
  const { stdout, stderr } = await promisify(execFile)('unshare', argv, {
    env,
    timeout: limitMs,
    maxBuffer: 64 << 20,
  }).catch((error: unknown) => error as { stdout: string; stderr: string });
  return { all: `${stdout}\n${stderr}` };
}
