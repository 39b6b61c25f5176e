import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { hindrancesOf } from '../../src/host/hindrances.ts';
import { detectNix } from '../../src/host/nix-variant.ts';

let tree: string;
beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), 'nix settings-'));
});
afterEach(() => rmSync(tree, { recursive: true }));

const put = (path: string, text: string) => {
  mkdirSync(dirname(join(tree, path)), { recursive: true });
  writeFileSync(join(tree, path), text);
};
const found = (env: NodeJS.ProcessEnv = {}, ownSystem?: string) =>
  hindrancesOf({
    places: {
      home: join(tree, 'home'),
      rootHome: join(tree, 'root'),
      etcNix: join(tree, 'etc/nix'),
    },
    tree,
    variant: detectNix(tree, 'nix (Nix) 2.31.0', 'darwin'),
    system: 'aarch64-linux',
    ownSystem,
    env,
  }).map(({ weight, message, hint }) => `${weight} ${message} ${hint}`);

describe('settings that keep builds from us', () => {
  test('none in a plain file', () => {
    put('etc/nix/nix.conf', 'experimental-features = nix-command\n');
    expect(found()).toEqual([]);
  });

  test('builders, with file and line, and how the daemon hears of the change', () => {
    put('etc/nix/nix.conf', 'cores = 1\n!include more.conf\n');
    put('etc/nix/more.conf', '\nbuilders = ssh://other\n');
    expect(found()).toEqual([
      expect.stringMatching(
        /^no-builds .*more\.conf, line 2 says builders = ssh:\/\/other, .* kickstart -k system\/org\.nixos\.nix-daemon$/,
      ),
    ]);
  });

  test('NIX_REMOTE_SYSTEMS, of the caller and of the daemon', () => {
    expect(found({ NIX_REMOTE_SYSTEMS: '/a:/b' })[0]).toMatch(/^some-builds NIX_REMOTE_SYSTEMS=/);
    expect(found({ NIX_REMOTE_SYSTEMS: `/a:${join(tree, 'etc/nix/machines')}` })).toEqual([]);
    put('Library/LaunchDaemons/org.nixos.nix-daemon.plist', '<key>NIX_REMOTE_SYSTEMS</key>');
    expect(found()[0]).toMatch(/^no-builds .*plist sets NIX_REMOTE_SYSTEMS/);
  });

  test.each([
    [
      '[{"systems":["aarch64-linux"],"program":"/x","args":[]}]',
      /^some-builds .*external-builders takes/,
    ],
    ['[{"systems":["x86_64-linux"],"program":"/x"}]', undefined],
    ['[{', /^no-builds .*not the JSON/],
  ])('external-builders = %s', (value, said) => {
    put('etc/nix/nix.conf', `external-builders = ${value}\n`);
    if (said === undefined) expect(found()).toEqual([]);
    else expect(found()[0]).toMatch(said);
  });

  test('a machine that builds the same itself', () => {
    expect(found({}, 'aarch64-linux')[0]).toMatch(/^some-builds This machine builds/);
    put('etc/nix/nix.conf', 'max-jobs = 0\n');
    expect(found({}, 'aarch64-linux')).toEqual([]);
  });
});

describe('the kind of Nix', () => {
  test('is none without /nix and without a program', () =>
    expect(detectNix(tree, undefined)).toBeUndefined());

  test.each([
    ['nix/determinate/x', 'darwin', 'systems.determinate.nix-daemon', '/etc/nix/nix.custom.conf'],
    ['nix/var/nix/daemon-socket/socket', 'darwin', 'org.nixos.nix-daemon', '/etc/nix/nix.conf'],
    ['nix/var/nix/daemon-socket/socket', 'linux', 'systemctl restart', '/etc/nix/nix.conf'],
  ] as const)(
    'with %s on %s tells the right daemon and the right file',
    (path, os, label, file) => {
      put(path, '');
      const nix = detectNix(tree, undefined, os);
      expect(nix?.restart).toContain(label);
      expect(nix?.settingsFile).toBe(file);
    },
  );

  test('without a daemon has none to tell', () => {
    put('nix/store/x', '');
    expect(detectNix(tree, undefined)).toMatchObject({ mode: 'single-user', restart: undefined });
  });
});
