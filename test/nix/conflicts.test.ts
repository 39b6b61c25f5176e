import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { build, buildBinary } from 'plist';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { withRoots } from '../../src/host/system-paths.ts';
import { nixConflicts } from '../../src/nix/conflicts.ts';
import { detectNix } from '../../src/nix/variant.ts';
import { removeTree } from '../remove-tree.ts';

let tree: string;
beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), 'nix settings-'));
});
afterEach(() => removeTree(tree));

const put = (path: string, text: string | Uint8Array) => {
  mkdirSync(dirname(join(tree, path)), { recursive: true });
  writeFileSync(join(tree, path), text);
};
const found = (
  env: NodeJS.ProcessEnv = {},
  ownSystem?: string,
  platform: NodeJS.Platform = 'darwin',
) =>
  nixConflicts({
    systemPaths: withRoots({
      home: join(tree, 'home'),
      rootHome: join(tree, 'root'),
      etcNix: join(tree, 'etc/nix'),
    }),
    tree,
    variant: detectNix(tree, 'nix (Nix) 2.31.0', platform),
    system: 'aarch64-linux',
    ownSystem,
    env,
  }).map(({ weight, message, hint }) => `${weight} ${message} ${hint}`);

// Behaviour 139: `configure` and `doctor` name each variable or setting that makes your Nix, or nix-daemon, use
// another store, other settings or no builder. They also say where it is set.
describe('settings that keep builds from us', () => {
  test('none in a plain file', () => {
    put('etc/nix/nix.conf', 'experimental-features = nix-command\n');
    expect(found()).toEqual([]);
  });

  test.each([
    ['a directory', (path: string) => mkdirSync(path)],
    ['a fifo', (path: string) => execFileSync('mkfifo', [path])],
  ])('none are known of %s that is included, and it is named', (_, make) => {
    put('etc/nix/nix.conf', '!include odd\n');
    make(join(tree, 'etc/nix/odd'));
    expect(found()).toEqual([expect.stringContaining('etc/nix/odd ')]);
  });

  test('builders, with file and line, and how the daemon hears of the change', () => {
    put('etc/nix/nix.conf', 'cores = 1\n!include more.conf\n');
    put('etc/nix/more.conf', '\nbuilders = ssh://other\n');
    expect(found()).toEqual([
      expect.stringMatching(
        /^no-builds .*more\.conf, line 2 sets builders = ssh:\/\/other, .* kickstart -k system\/org\.nixos\.nix-daemon$/,
      ),
    ]);
  });

  test.each([
    'ssh-ng://builder@nix-linuxkit aarch64-linux - 4 ; ssh://other',
    '@/nowhere ; @TREE/etc/nix/ours',
  ])('not builders that has the builder itself: %s', (value) => {
    put('etc/nix/ours', 'ssh-ng://builder@nix-linuxkit aarch64-linux - 4\r\n');
    put('etc/nix/nix.conf', `builders = ${value.replace('TREE', tree)}\n`);
    expect(found()).toEqual([]);
  });

  test('NIX_REMOTE_SYSTEMS, of the caller and of the daemon', () => {
    expect(found({ NIX_REMOTE_SYSTEMS: '/a:/b' })[0]).toMatch(/^some-builds NIX_REMOTE_SYSTEMS=/);
    expect(found({ NIX_REMOTE_SYSTEMS: `/a:${join(tree, 'etc/nix/machines')}` })).toEqual([]);
  });

  test.each([
    ['plist', (value: string) => build({ EnvironmentVariables: { NIX_REMOTE_SYSTEMS: value } })],
    ['unit', (value: string) => `[Service]\nEnvironment=A=b "NIX_REMOTE_SYSTEMS=${value}"\n`],
    ['any drop-in', (value: string) => `[Service]\nEnvironment='NIX_REMOTE_SYSTEMS=${value}'\n`],
    ['EnvironmentFile', (value: string) => `NIX_REMOTE_SYSTEMS='${value}'\n`],
  ])("NIX_REMOTE_SYSTEMS of nix-daemon's %s, unless it names our list", (kind, text) => {
    put('etc/systemd/system/nix-daemon.service', '[Service]\nEnvironmentFile=-/etc/default/nix\n');
    const path = {
      plist: 'Library/LaunchDaemons/org.nixos.nix-daemon.plist',
      unit: 'etc/systemd/system/nix-daemon.service',
      'any drop-in': 'etc/systemd/system/nix-daemon.service.d/10-proxy.conf',
      EnvironmentFile: 'etc/default/nix',
    }[kind];
    if (path === undefined) throw new Error(kind);
    put(path, text('/x:/y'));
    expect(found()[0]).toMatch(/^no-builds .* NIX_REMOTE_SYSTEMS=\/x:\/y /);
    expect(found()[0]).toContain(path);
    put(path, text(`/x:${join(tree, 'etc/nix/machines')}`));
    expect(found()).toEqual([]);
  });

  test('a plist of nix-daemon’s that cannot be read is named', () => {
    const path = 'Library/LaunchDaemons/org.nixos.nix-daemon.plist';
    put(path, buildBinary({ EnvironmentVariables: { NIX_REMOTE_SYSTEMS: '/x' } }));
    expect(found()).toEqual([expect.stringMatching(/^some-builds .*nix-daemon\.plist .*plutil/)]);
  });

  test('a comment about NIX_REMOTE_SYSTEMS, and a line that a later one takes back, are none', () => {
    const folder = 'usr/lib/systemd/system/nix-daemon.service';
    put(folder, '# Environment=NIX_REMOTE_SYSTEMS=/x\n');
    put(
      'Library/LaunchDaemons/org.nixos.nix-daemon.plist',
      '<plist><dict><!-- <key>EnvironmentVariables</key><dict><key>NIX_REMOTE_SYSTEMS</key><string>/x</string></dict> --></dict></plist>',
    );
    expect(found()).toEqual([]);
    put(`${folder}.d/a.conf`, 'Environment=NIX_REMOTE_SYSTEMS=/x\n');
    put('etc/systemd/system/nix-daemon.service.d/b.conf', 'Environment=\n');
    expect(found()).toEqual([]);
    put('etc/systemd/system/nix-daemon.service.d/c.conf.off', 'Environment=NIX_REMOTE_SYSTEMS=/x');
    expect(found()).toEqual([]);
  });

  test('builders of yours: of all builds without a daemon, else of your own', () => {
    put('home/.config/nix/nix.conf', 'builders = ssh://mine\n');
    put('etc/nix/nix.conf', `builders = @${join(tree, 'etc/nix/machines')}\n`);
    expect(found()).toEqual([
      expect.stringMatching(
        /^some-builds .*\.config\/nix\/nix\.conf, line 1 .*builders = ssh:\/\/mine, /,
      ),
    ]);
    expect(found({ XDG_CONFIG_HOME: '/none' })).toEqual([]);
    put('u.conf', 'builders = ssh://u\n');
    const named = { NIX_USER_CONF_FILES: '/u.conf:/none' };
    expect(found(named)[0]).toContain('u.conf, line 1 sets builders = ssh://u');
    expect(found({ ...named, NIX_CONFIG: 'cores = 1\nbuilders =' })[0]).toMatch(
      /^some-builds NIX_CONFIG .*line 2 .*builders /,
    );
    // Of your own environment nothing is unescaped.
    expect(found({ NIX_USER_CONF_FILES: '', NIX_CONFIG: 'cores = 1\\nbuilders =' })).toEqual([]);
    put('nix/store/x', '');
    expect(found(named, undefined, 'linux')[0]).toMatch(/^no-builds .*u\.conf, line 1 sets/);
    expect(found({ NIX_USER_CONF_FILES: '' }, undefined, 'linux')).toEqual([]);
  });

  test.each([
    [{ NIX_REMOTE: 'ssh://else' }, /^some-builds NIX_REMOTE=ssh:\/\/else /],
    [
      { NIX_CONFIG: 'store = ssh-ng://else' },
      /^some-builds NIX_CONFIG in your .* sets store = ssh/,
    ],
    [{ NIX_CONF_DIR: '/elsewhere' }, /^some-builds NIX_CONF_DIR=\/elsewhere /],
  ])('a store or a folder of yours: %j', (env, said) => {
    expect(found(env)[0]).toMatch(said);
    // Without a daemon it counts for every build.
    put('nix/store/x', '');
    expect(found(env, undefined, 'linux')[0]).toMatch(/^no-builds/);
  });

  test('what leads to the daemon after all is none', () => {
    for (const NIX_REMOTE of ['', 'auto', 'daemon', 'unix:///nix/var/socket'])
      expect(found({ NIX_REMOTE })).toEqual([]);
    expect(found({ NIX_CONF_DIR: `${join(tree, 'etc/nix')}/` })).toEqual([]);
    put('etc/nix/nix.conf', 'store = daemon\nbuild-hook = /nix/x/libexec/nix/build-remote\n');
    expect(found()).toEqual([]);
  });

  test("nix-daemon's own environment, and its settings", () => {
    const unit = (line: string) =>
      put('etc/systemd/system/nix-daemon.service', `[Service]\nEnvironment="${line}"\n`);
    unit('NIX_CONF_DIR=/elsewhere');
    expect(found()[0]).toMatch(/^no-builds NIX_CONF_DIR=\/elsewhere in .*nix-daemon\.service/);
    unit('NIX_CONFIG=cores = 1\\nbuilders =');
    expect(found()[0]).toMatch(
      /^no-builds NIX_CONFIG in .*service, line 2 sets builders to nothing,/,
    );
    unit('A=b');
    put('etc/nix/nix.conf', 'build-hook =\n');
    expect(found()[0]).toMatch(
      /^no-builds .*nix\.conf, line 1 sets build-hook to nothing, so Nix never asks/,
    );
    put('etc/nix/nix.conf', 'store = ssh://else\n');
    expect(found()[0]).toMatch(/^no-builds .*nix\.conf, line 1 sets store = ssh/);
  });

  test('what is no fault of settings stands last', () => {
    const all = found({ NIX_REMOTE: 'ssh://else' }, 'aarch64-linux');
    expect(all[0]).toContain('NIX_REMOTE');
    expect(all[1]).toBe(found({}, 'aarch64-linux')[0]);
  });

  test('builders of root, who is the daemon', () => {
    put('root/.config/nix/nix.conf', 'builders =\n');
    expect(found()[0]).toMatch(/^no-builds .*root\/\.config\/nix\/nix\.conf, line 1/);
  });

  test.each([
    [
      '[{"systems":["aarch64-linux"],"program":"/x","args":[]}]',
      /^some-builds .*external-builders takes/,
    ],
    ['[{"systems":["x86_64-linux"],"program":"/x"}]', undefined],
    ['[{', /^no-builds .*external-builders/],
  ])('external-builders = %s', (value, said) => {
    put('etc/nix/nix.conf', `external-builders = ${value}\n`);
    if (said === undefined) expect(found()).toEqual([]);
    else expect(found()[0]).toMatch(said);
  });

  test('a machine that builds the same itself', () => {
    expect(found({}, 'aarch64-linux')[0]).toMatch(/^some-builds .*aarch64-linux/);
    expect(found({}, 'x86_64-linux')).toEqual([]);
    put('etc/nix/nix.conf', 'extra-platforms = i686-linux aarch64-linux\n');
    expect(found({}, 'x86_64-linux')[0]).toMatch(/^some-builds .*aarch64-linux/);
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
