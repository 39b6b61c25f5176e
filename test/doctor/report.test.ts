/** `doctor --report`: a secret in every input, and none in what is written. */
import {
  appendFileSync,
  lchownSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { scrubbed } from '../../src/doctor/report/report-scrub.ts';
import { secretsOf } from '../../src/doctor/report/report-secrets.ts';
import { configureRig } from '../setup/configure-rig.ts';
import { needs } from '../needs.ts';

const nothing = { names: [], secrets: [], values: [], texts: [] };
/** A terminal's code, as it is and as JSON, printf and a log write it. */
const colours = [
  '\u001b[35;1m',
  '\u009b1m',
  '\\u001b[35;1m',
  '\\\\u001b[0m',
  '\\x1b[1m',
  '#033[1m',
];
const hash = '0123456789abcdfghijklmnpqrsvwxyz';

test.each([
  [
    `building /nix/store/${hash}-my-product-2.drv now`,
    `building /nix/store/${hash}-[left out] now`,
  ],
  [`${hash}-my-product failed`, `${hash}-[left out] failed`],
  ['by http://me:pass@proxy.corp:3128/x, then', 'by [left out] then'],
  ['ssh-ng://me@host.corp', '[left out]'],
  ['ssh-ng://builder@nix-linuxkit', 'ssh-ng://builder@nix-linuxkit'],
  ['see https://nixos.org/download', 'see https://nixos.org/download'],
  // As earlier releases have recorded it.
  [
    `{"sentence":"config.json: is not JSON (Unexpected token 'h', "{"cpus": h"... is not valid JSON)."}\nb`,
    '{"sentence":"config.json: is not JSON [left out]\nb',
  ],
  [
    `config.json: is not valid JSON (Unexpected token 'h', "{\n  "cpus": hush7z\n}" is not valid JSON). Fix it.\nb`,
    'config.json: is not valid JSON [left out]\nb',
  ],
  ['/etc/x is damaged: Unexpected token h.', '/etc/x is damaged [left out]'],
  [
    'config.json: is not valid JSON. Fix the syntax, its file is damaged',
    'config.json: is not valid JSON. Fix the syntax, its file is damaged',
  ],
  ['password = hunter2 and more', 'password = [left out]'],
  ['{"token": "abc"}', '{"token": [left out]'],
  [
    'a\n-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\nBBBB\n-----END OPENSSH PRIVATE KEY-----\nb',
    'a\n[left out]\nb',
  ],
  ['-----BEGIN PRIVATE KEY-----\\nAAAA"}\nnext: b', '[left out]"}\nnext: b'],
  // On a serial console, with the times that our log of it has, and encrypted.
  [
    'a\n1Z -----BEGIN RSA PRIVATE KEY-----\r\n2026-11-29T19:52:11.006Z AAAA\r\n2026-11-29T19:52:11.010Z [   12.345678] BBBB=\r\n2026-11-29T19:52:11.006Z linuxkit-builder: b',
    'a\n1Z [left out]\n2026-11-29T19:52:11.006Z linuxkit-builder: b',
  ],
  [
    '  -----BEGIN RSA PRIVATE KEY-----\n  Proc-Type: 4,ENCRYPTED\n  DEK-Info: AES,00\n\n  AAAA\n  -----END RSA PRIVATE KEY-----\n  next: b',
    '  [left out]\n  next: b',
  ],
  // Its beginning is further up than the report begins; and what is no key, but as long.
  [
    `2026-11-29T19:52:11.006Z ${'aB/4'.repeat(16)}\nAAAA=\n-----END RSA PRIVATE KEY-----\nsha256 ${'0f'.repeat(32)}`,
    `2026-11-29T19:52:11.006Z [left out]\n[left out]\n-----END RSA PRIVATE KEY-----\nsha256 ${'0f'.repeat(32)}`,
  ],
  ['-----BEGIN RSA PRIVATE KEY-----\nAAAAqwe=</string>', '[left out]</string>'],
  ['alice@[fe80::1%eth0] and bob@[FE80::1]:22', '[left out] and [left out]'],
  // What is long and no key: a path, and the public half.
  [
    `/Applications/${'Xcode/Contents/'.repeat(5)}ld AAAAC3NzaC1lZDI1NTE5${'A'.repeat(48)}`,
    `/Applications/${'Xcode/Contents/'.repeat(5)}ld AAAAC3NzaC1lZDI1NTE5${'A'.repeat(48)}`,
  ],
  ['-----BEGIN PGP PRIVATE KEY BLOCK-----\\r\\n\\r\\nAAAA\\r\\n"}', '[left out]"}'],
  ...['GITHUB_TOKEN=', 'PGPASSWORD=', 'AWS_SECRET_ACCESS_KEY=', 'github_token: ', 'DB_PASS='].map(
    (name) => [`now ${name}hush`, `now ${name}[left out]`],
  ),
  ...['"githubToken":', '\\"apiKey\\": ', 'X-Api-Key: ', 'Cookie: ', 'passphrase: '].map((name) => [
    `{${name}"hush 7"}`,
    `{${name}[left out]`,
  ]),
  ['curl --password hush --tokens "a b" x', 'curl --password [left out] --tokens [left out] x'],
  ['login ann password hush', 'login [left out] password [left out]'],
  ['got Bearer abc, Basic QWxhZGRpbjpvcGVu', 'got Bearer [left out], Basic [left out]'],
  ...['ghp_abcd1234', 'github_pat_11AA', 'glpat-abc_defgh', 'AKIAIOSFODNN7', 'xoxb-12-ab'].map(
    (token) => [`by\\n${token}.`, 'by\\n[left out].'],
  ),
  [`by npm_${'a1'.repeat(18)} or eyJhbGci.eyJzdWIi.c2ln`, 'by [left out] or [left out]'],
  [`acme.example-1:${'Ab1+'.repeat(11)}=`, '[left out]'],
  ['jane.doe@hal9000.acme.lan and jane@hal9000:', '[left out] and [left out]:'],
  ['git clone git@github.com:acme/hush.git', 'git clone [left out]'],
  ['by me:p%40ss@proxy.corp:3128 now', 'by [left out] now'],
  ['by me:p%40ss@[fd00::1]:3128 now, jane@[::1]', 'by [left out] now, [left out]'],
  ['flake github:acme/hush/main#x', 'flake [left out]#x'],
  ['/Users/jane/x and /home/mary/y', '/Users/(user)/x and /home/(user)/y'],
  ['kept in /tmp/nix-build-acme-hush-1.0.drv-0', 'kept in /tmp/nix-build-[left out]-0'],
  ['cannot build acme-hush-1.0.drv', 'cannot build [left out].drv'],
  ['lookup hush on 1.1.1.1:53: no such host', 'lookup [left out] on [left out]:53: no such host'],
  ['getaddrinfo ENOTFOUND hush', 'getaddrinfo ENOTFOUND [left out]'],
  ['Could not resolve hostname hush: Name', 'Could not resolve hostname [left out]: Name'],
  ["Temporary failure resolving 'hush.de'", "Temporary failure resolving '[left out]'"],
  ['Failed to connect to hush port 3128', 'Failed to connect to [left out] port 3128'],
  ['from nexus.acme.corp, it', 'from [left out], it'],
  ['Bad configuration option: hush', 'Bad configuration option: [left out]'],
  ['config line 3: Bad number "hush".', 'config line 3: Bad number [left out].'],
])('by its form: %j', (text = '', expected = '') => {
  for (const colour of ['', ...colours])
    expect(scrubbed(`${colour}${text}${colour}`, nothing)).toBe(expected);
});

test.each([
  'Linux version 6.12.1 (gcc-14) systemd[1]: Started user@1000.service, getty@tty1.service',
  'offer chacha20-poly1305@openssh.com,curve25519-sha256@libssh.org; node@20, tar@7.1',
  '/usr/local/bin/node /nix/store /opt/homebrew/opt/node@20/bin /home/linuxbrew/.linuxbrew',
  "cannot connect to the guest's port; resolving took 3 ms; author: us; 5 passes; tokens",
  'ssh-ng://builder@nix-linuxkit, linuxkit-builder@latest, host.containers.internal, ~/.local/bin',
  'Reached target basic.target - Basic System. Bypassed: 3, authentication: publickey',
  'see https://nixos.org/download, https://brew.sh and http://ftp.debian.org/debian',
  'Could not resolve host: cache.nixos.org',
])("what is nobody's stays: %j", (text) => expect(scrubbed(text, nothing)).toBe(text));

/** What a line may be full of. */
const letters = [
  'a',
  'a:',
  'a.',
  'token',
  '-',
  '\\',
  'a@',
  '1.',
  'f:',
  '\u001b[',
  ' ',
  'x-1:',
  '://',
];
const words = ['line 1: ', 'nix-build-', '=nix-build-', 'login ', 'A\n'];
test.each([letters, words].flat())(
  'a guest that writes a line without an end does not keep it: %j',
  (part) => {
    const line = part.repeat(200_000 / part.length);
    const begun = performance.now();
    scrubbed(line, { ...nothing, texts: [line.slice(0, 1000)] });
    expect(performance.now() - begun).toBeLessThan(5000);
  },
);

test.each([
  ['a key that is only begun', `-----BEGIN PRIVATE KEY-----\n${' '.repeat(100_000)}!`, ''],
  ['a file of empty lines', '', '\n'.repeat(100_000)],
])('%s does not keep it either', (_, line, text) => {
  const begun = performance.now();
  scrubbed(line, { ...nothing, texts: [text] });
  expect(performance.now() - begun).toBeLessThan(5000);
});

test('because it is known, the longest first, and names as whole words only', () => {
  const known = {
    ...nothing,
    names: [
      ['/home/ann', '~'],
      ['ann', '(user)'],
      ['root', '(user)'],
    ] as const,
    texts: ['x=correct-Horse1 y=/etc/nix/machines', 'correct-Horse1-battery'],
  };
  expect(scrubbed('correct-Horse1-battery correct-Horse1 annex ann root /home/ann/x', known)).toBe(
    '[left out] [left out] annex (user) root ~/x',
  );
  expect(scrubbed('/etc/nix/machines', known)).toBe('/etc/nix/machines');
});

test.each([
  [
    'servers 10.1.2.3 192.168.1.77:3128 and fd00:12:34::53, 2001:db8:0:0:0:0:0:1',
    'servers [left out] [left out]:3128 and [left out], [left out]',
  ],
  ['eth0 52:54:00:12:34:56', 'eth0 [left out]'],
  [
    'Linux 6.12.118, QEMU 11.1.0, 127.0.0.1:24083, 10.0.2.2, [::1], at 00:44:29.123, v1.2.3.4-5',
    'Linux 6.12.118, QEMU 11.1.0, 127.0.0.1:24083, 10.0.2.2, [::1], at 00:44:29.123, v1.2.3.4-5',
  ],
])('an address of a network is left out of %j, and nothing else', (text, left) =>
  expect(scrubbed(text, nothing)).toBe(left),
);

test('a variable that holds nothing but colours takes nothing out', () => {
  const values = ['\u001b[01;44;33m', '\\e[01;44;33m'];
  expect(scrubbed('a: (b) ', { ...nothing, values })).toBe('a: (b) ');
});

test('of an address that is known the host alone is left out, too', () => {
  const texts = ['substituters = https://me:word@cache.corp.example/x https://cache.nixos.org'];
  const said = 'Could not resolve host: cache.corp.example; cache.nixos.org';
  expect(scrubbed(said, { ...nothing, texts })).toBe(
    'Could not resolve host: [left out]; cache.nixos.org',
  );
});

test('of what is secret every word is left out, as it is written, as it is meant and as JSON writes it', () => {
  const said = (secret: string, text: string) =>
    scrubbed(text, { ...nothing, secrets: [secret, secret] });
  expect(said('correct-horse-battery', 'a correct-horse-battery b')).toBe('a [left out] b');
  expect(said('123456789012', '{"n":123456789012}')).toBe('{"n":[left out]}');
  expect(said('hush', '"hush" hushed\\nhush')).toBe('"[left out]" hushed\\n[left out]');
  expect(said('a\\b"c', `"words":${JSON.stringify('a\\b"c')}`)).toBe('"words":"[left out]"');
  expect(said('/opt/acme/key', 'at /opt/acme/key')).toBe('at [left out]');
  const login = 'https://jane:p%40ss-w0rd@h1.acme/x';
  expect(said(login, 'jane p%40ss-w0rd p@ss-w0rd h1.acme')).toBe(
    '[left out] [left out] [left out] [left out]',
  );
  expect(said('jane:hush@hal9:3128', 'jane hush hal9 3128')).toBe(
    '[left out] [left out] [left out] 3128',
  );
  expect(said('http://j%61ne:p%40ss@[fd00::1]:3128', 'jane p@ss fd00::1')).toBe(
    '[left out] [left out] [left out]',
  );
  // Whatever is in a password, it is known as a whole, too.
  expect(said('machine a login b password x,1=y;z', 'x,1=y;z')).toBe('[left out]');
  expect(said('password "x y;z" # mine', 'with x y;z')).toBe('with [left out]');
  expect(said('http://me:a,b=c;d@proxy.acme', 'a,b=c;d')).toBe('[left out]');
  expect(said('http://me:a@b1@proxy.acme', 'a@b1 by proxy.acme')).toBe('[left out] by [left out]');
  expect(said('hu\\e[0msh-\\u0041bc', 'a hu\\e[0msh-\\u0041bc b')).toBe('a [left out] b');
  const usual = ['true', '42', 'root', 'x86_64-linux', '/usr/bin/ssh'];
  expect(said(usual.join('\n'), usual.join(' '))).toBe(usual.join(' '));
  const brew = ['/opt/homebrew', '/opt/homebrew/Cellar', '/opt/homebrew/bin/vfkit', '/usr/local'];
  expect(said(brew.join('\n'), `brew install homebrew ${brew.join(' ')}`)).toBe(
    `brew install homebrew ${brew.join(' ')}`,
  );
});

test.each([
  ['builders = hal9 x86_64-linux /etc/acme/key', 'hal9 /etc/acme/key', 'x86_64-linux'],
  ['builders = jane@hal9000.acme', 'jane hal9000.acme', 'builders'],
  ['ssh://hal9 aarch64-linux\nhal8 i686-linux', 'hal9 hal8', 'aarch64-linux'],
  ['access-tokens = github.com=correct-horse', 'correct-horse', 'access-tokens'],
  ['Environment="DB_PASSWORD=horse battery"', 'horse battery', 'Environment'],
  ['Host hal9\n  HostName hush.acme\n User jane', 'hal9 hush.acme jane', 'HostName'],
  ['substituters = https://jane:hush@nexus', 'jane hush nexus', 'substituters'],
  // ssh makes names of hosts small, and says them so.
  ['Host *\n  HostName HAL9.Acme.example', 'hal9.acme.example HAL9.Acme.example', 'HostName'],
  ['Match host HAL9 exec "/opt/acme/x"', 'hal9 /opt/acme/x', 'Match host'],
])('of a file for Nix or ssh what somebody has chosen: %j', (file, known, ours) => {
  const told = scrubbed(`${known} ${ours}`, { ...nothing, texts: [file] });
  expect(told).toBe(`${known.replaceAll(/\S+/g, '[left out]')} ${ours}`);
});

test('of a healthy builder it says all that helps, whoever reads it', async () => {
  using rig = configureRig();
  const { layout, root, tree } = rig;
  put(
    root.nixConf,
    '# see https://github.com/NixOS/x for more options.\nexperimental-features = nix-command flakes\nbuild-users-group = nixbld\n',
  );
  put(join(tree, 'etc/ssh/ssh_config'), '  # Site-wide options.\nHost *\n#  Ciphers aes128-ctr\n');
  put(
    join(tree, 'etc/systemd/system/nix-daemon.service'),
    '[Unit]\nRequiresMountsFor=/nix/var\n[Install]\nWantedBy=multi-user.target\n',
  );
  expect((await rig.run('-c', '1', '--accelerator', 'tcg')).failure).toBeUndefined();
  const env = {
    PATH: process.env['PATH'],
    LINUXKIT_BUILDER_TREE: tree,
    TERM: 'xterm-256color',
    LANG: 'en_US.UTF-8',
    XDG_RUNTIME_DIR: '/run/user/1000',
    XDG_DATA_DIRS: '/usr/local/share:/usr/share',
    NIX_PROFILES: '/nix/var/nix/profiles/default /root/.nix-profile',
    NIX_SSL_CERT_FILE: '/etc/ssl/certs/ca-certificates.crt',
    npm_package_name: 'linuxkit-builder',
    npm_node_execpath: '/usr/bin/node',
    npm_config_user_agent: 'npm/11.19.0 node/v20.20.2 linux x64 workspaces/false',
    GITHUB_ACTIONS: 'true',
    RUNNER_OS: 'Linux',
    HTTPS_PROXY: 'http://proxy:3128',
    https_proxy: 'https://127.0.0.1:7890',
    NO_PROXY: 'localhost,127.0.0.1,.local',
    // Of Macs, desktops, managers of Nodes and editors.
    SSH_AUTH_SOCK: '/private/tmp/com.apple.launchd.abcdefg/Listeners',
    NIX_PATH: 'nixpkgs=/nix/var/nix/profiles/per-user/root/channels/nixpkgs:/nix/channels',
    GOOGLE_APPLICATION_CREDENTIALS: '/Users/ann/.config/gcloud/adc.json',
    PASSWORD_STORE_DIR: '/home/ann/Library/store',
    NVM_BIN: '/Users/ann/.nvm/versions/node/v20.20.2/bin',
    FPATH: '/opt/homebrew/share/zsh/site-functions:/usr/share/zsh/5.9/functions',
    XPC_SERVICE_NAME: 'application.com.apple.Terminal.1152921500311879701',
    GNOME_TERMINAL_SCREEN: '/org/gnome/Terminal/screen/1234_ab',
    VSCODE_GIT_ASKPASS_MAIN:
      '/Applications/Visual Studio Code.app/Contents/Resources/app/extensions/git/askpass-main.js',
    MEMORY_PRESSURE_WATCH: '/sys/fs/cgroup/user.slice/user-0.slice/session.slice/memory.pressure',
    SUDO_COMMAND: '/usr/bin/linuxkit-builder doctor --report report.txt',
    VISUAL: 'code --wait',
  };
  const said = [
    'linuxkit-builder 1.2.3, Node 20.20.2',
    'linux 6.18.44, x64, 2 CPUs, 24105 MiB, disk 251 GiB, 75 GiB free',
    'Nix 2.8.0, multi-user, /etc/nix/nix.conf, /nix/var/nix/profiles/default',
    'qemu-system-x86_64: QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)',
    'environment variables that are set: HTTPS_PROXY, NIX_PROFILES, XDG_DATA_DIRS',
    "ok    root's files: same port, keys and machines line as yours",
    'ok    node: v20.20.2, /usr/bin/node',
    'ok    your files: ssh nix-linuxkit leads to the guest',
    'ok    machines line: 1 job; big-parallel, benchmark, nixos-test',
    'BAD   ssh as root: ssh-ng://builder@nix-linuxkit: Permission denied (publickey,password).',
    '        -> sudo systemctl restart nix-daemon; linuxkit-builder configure --port 24516',
    'system: "x86_64-linux", features: ["big-parallel","benchmark"]',
    '{"level":"info","time":"2026-01-01T00:00:00.000Z","event":"proxy","port":24083,"ok":true}',
    '[    0.000000] Linux version 6.12.38+deb13-amd64 (gcc-14 (Debian 14.2.0-19) 14.2.0)',
    '[    0.000000] Command line: console=ttyS0 root=/dev/vda ro linuxkit.port=24083',
    'systemd[1]: Started getty@tty1.service - Getty on tty1; sshd[77]: Server listening on 0.0.0.0',
    'Could not resolve host: cache.nixos.org; Completed: 3 derivations',
    'ok    versions: Node 20.20.2; options: --report FILE and --wait; functions, extensions, Resources',
    'ok    keys: three key pairs, private and readable by their owner only, at home, in a keyring',
    'see https://github.com/NixOS/nix in a Terminal; ~/.config/nix/nix.conf and ~/.local/bin/node',
    'state in /private/tmp, /Users/Shared and /Library/LaunchDaemons; http and https; ~/Library/Logs',
    "other lines apply: port 2222 (/etc/nix/linuxkit-builder/ssh_config, line 4); 'aes128-ctr'",
    'add @/etc/nix/linuxkit-builder/machines to it; 1 bad configuration options. See ssh_config(5)',
    'systemd[1]: Reached target multi-user.target; Created slice user.slice; memory.pressure',
    '/nix/var/nix/profiles/per-user/root/channels, profiles, https://github.com/NixOS/nixpkgs',
  ].join('\n');
  const context = { env, home: '/home/ann' };
  expect(scrubbed(said, secretsOf(layout, context))).toBe(said);
});

/** Something that nobody is to see, another each time, in the form of what people keep secret. */
function planter() {
  const marks: string[] = [];
  const add = (mark: string) => {
    marks.push(mark);
    return mark;
  };
  const letters = (at: number) => String.fromCharCode(97 + (at % 26), 97 + Math.floor(at / 26));
  return {
    marks,
    add,
    mixed: () => add(`hUsH${marks.length}zQ7`),
    lower: () => add(`correct-horse-${letters(marks.length)}`),
    digits: () => add(String(740_000_000_001 + marks.length)),
    slashed: () => add(`Hu\\sh\\${letters(marks.length)}9`),
    /** Those that the text has in it, as they are or as JSON writes them. */
    seenIn: (text: string) =>
      marks.filter((each) =>
        [each, JSON.stringify(each).slice(1, -1)].some((m) => text.includes(m)),
      ),
  };
}

const put = (path: string, text: string) => {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text, { mode: 0o600 });
};
const add = (path: string, text: string) => {
  mkdirSync(dirname(path), { recursive: true });
  appendFileSync(path, text);
};
const logged = (event: string, words: string) =>
  `${JSON.stringify({ level: 'info', time: '2026-01-01T00:00:00.000Z', event, words })}\n`;

/** A secret in everything that doctor reads; the environment that goes with it. `known` are those that only their place tells. */
function plantAll({ layout, systemPaths, root, tree }: ReturnType<typeof configureRig>) {
  const { marks, add: mark, mixed, lower, digits, slashed, seenIn } = planter();
  const settings = JSON.parse(readFileSync(layout.config, 'utf8')) as object;
  put(
    layout.config,
    JSON.stringify({
      ...settings,
      snapshots: `https://me:${mixed()}@snapshots.example/${mixed()}`,
      bundle: `/srv/${mixed()}/linux`,
      [mixed()]: mixed(),
      [lower()]: [slashed(), { [lower()]: digits() }],
      vm: mixed(),
      features: [`${mixed()} ${mixed()}`],
    }),
  );
  // What stands in other settings later is no longer known.
  const gone = marks.length;
  put(
    join(systemPaths.home, '.netrc'),
    `machine ${mixed()} login ${lower()} password ${digits()}\n`,
  );
  put(join(systemPaths.etcNix, 'netrc'), `default login ${slashed()} password ${lower()}\n`);
  put(join(tree, 'acme/netrc'), `machine a.example password ${lower()}\n`);
  add(
    root.nixConf,
    `netrc-file = ${join(tree, 'acme/netrc')}\naccess-tokens = github.com=${lower()}\nbuilders = ssh://${lower()}@${mixed()}.example x86_64-linux /etc/nix/${mixed()}\n!include acme.conf\n`,
  );
  put(join(systemPaths.etcNix, 'acme.conf'), 'include ../../acme/deep.conf\n');
  put(
    join(tree, 'acme/deep.conf'),
    `builders = ${mark('jane.doe')}@${mark('hal9000.acmecorp.lan')} x86_64-linux /srv/acme/${mark('id_SECRETKEYNAME')}\naccess-tokens = gitlab.com=${digits()}\n`,
  );
  add(
    join(systemPaths.home, '.config/nix/nix.conf'),
    `substituters = https://me:${mixed()}@${mark('cache.corp.example')}\nbuilders = @/${mixed()}\n`,
  );
  put(
    join(tree, 'acme/user.conf'),
    `builders = ssh://${mark('mary')}:${mark('p%40ssw0rd9')}@${lower()} i686-linux\naccess-tokens = x=${slashed()}\n`,
  );
  add(root.machines, `ssh://${mixed()}@other x86_64-linux - x\n${lower()} x86_64-linux\n`);
  const units = join(tree, 'etc/systemd/system');
  put(join(units, 'nix-daemon.service'), `[Service]\nEnvironmentFile=/acme/daemon.env\n`);
  put(
    join(units, 'nix-daemon.service.d/acme.conf'),
    `[Service]\nEnvironment=NIX_REMOTE_SYSTEMS=${mark('/srv/acmecorp/machines')}\nEnvironment="CACHE_TOKEN=${lower()}"\n`,
  );
  put(join(tree, 'acme/daemon.env'), `https_proxy=${mark('karl')}:${digits()}@${lower()}:3128\n`);
  add(
    join(systemPaths.home, '.ssh/config'),
    `Include con*/*\nInclude ~/.ssh/acme.conf\nHost ${mixed()}\n  IdentityFile ~/${mixed()}\n`,
  );
  put(join(systemPaths.home, '.ssh/conf.d/acme'), `Host ${lower()}\n  ${mixed()} yes\n`);
  put(join(systemPaths.home, '.ssh/acme.conf'), `Host *\n  HostName ${lower()}\n`);
  add(join(systemPaths.rootHome, '.ssh/config'), `Include "conf.d/[a-c].con?"\n`);
  put(join(systemPaths.rootHome, '.ssh/conf.d/a.conf'), `ProxyJump ${lower()}\n`);
  put(join(tree, 'etc/ssh/ssh_config.d/50.conf'), `User ${lower()}\nSetEnv A=${digits()}\n`);
  mark('p@ssw0rd9');
  const proxy = `http://user:${mixed()}@${mixed()}.example:3128`;
  const env = {
    PATH: process.env['PATH'],
    LINUXKIT_BUILDER_TREE: tree,
    http_proxy: proxy,
    https_proxy: `${mark('otto')}:${slashed()}@${mark('proxy.corp')}:3128`,
    MY_TOKEN: mixed(),
    MY_PASS: lower(),
    PGPASSWORD: slashed(),
    ACME: digits(),
    ACME_KEY_FILE: `/opt/acme-secret/${lower()}`,
    ACME_MACHINES: `@/etc/${mark('acme-secret-machines')}`,
    NIX_USER_CONF_FILES: `/acme/user.conf:${systemPaths.home.slice(tree.length)}/.config/nix/nix.conf`,
    NIX_REMOTE_SYSTEMS: `/${mixed()}`,
    NIX_CONFIG: `extra-access-tokens = gitlab.com=${mixed()}\nsubstituters = ssh://${mixed()}`,
  };
  const known = marks.slice(gone);
  const drv = () => `/nix/store/${hash}-${mixed()}-1.0.drv`;
  // All of them stand in the logs, coloured too, and in a sentence.
  for (const [at, each] of known.entries()) {
    const colour = colours[at % colours.length] ?? '';
    add(layout.log, logged('said', `it has ${each}, and\n${each}: \u001b[31m${each}\u001b[0m.`));
    add(layout.consoleLog, `it has ${colour}${each}${colour} or '${each}'\n`);
  }
  add(
    layout.log,
    logged('built', `building '${drv()}'`) +
      logged('proxy', `by ${proxy}`) +
      logged('name-servers-told', `${mark('10.99.7.3')} ${mark('fd00:99::7')}`) +
      logged('mirror', `from \u001b[35;1mhttps://jane:${mixed()}@mirror.example/${mixed()}/debian`),
  );
  add(
    layout.consoleLog,
    `nix-daemon: building ${drv()}\nauthorization: Bearer ${mixed()}\n\u001b[31mpassword: ${lower()}\n\u001b[1m10.99.7.3 pass\u001b[0mword: ${mixed()}\nGITHUB_TOKEN=${lower()} {"githubToken":"${digits()}"}\nX-Api-Key: ${lower()}\n--password ${lower()}\nghp_${mark('abcd99')}\n`,
  );
  add(layout.daemonOutput, `error: builder for '${drv()}' failed in nix-build-${mixed()}.drv-0\n`);
  add(layout.vmOutput, `-----BEGIN OPENSSH PRIVATE KEY-----\n${mixed()}\n`);
  add(
    layout.networkOutput,
    `GET ${proxy}\nlookup git.${mixed()}.lan on 10.0.2.3:53: no such host\n/Users/${lower()}/x git@github.com:${lower()}/x.git\n`,
  );
  put(layout.verdicts, JSON.stringify({ why: `https://${mixed()}.example` }));
  return { env, settings, marks, mark, mixed, seenIn };
}

// Behaviour 143: `doctor --report` writes everything that a bug report needs into a file that only its owner can read.
// As far as `doctor` can recognise them, the report leaves out keys, passwords, tokens, addresses, names of users and
// hosts, values of variables and of Nix's settings, and names of builds.
// Behaviour 144: If a file cannot be parsed and the parser's error quotes part of that file, the quotation appears
// only on the terminal of the file's owner. It never appears in a status, log or report.
test('nothing that was planted anywhere is in it', needs('root'), async () => {
  using rig = configureRig();
  const { layout, systemPaths } = rig;
  expect((await rig.run('-c', '1', '--accelerator', 'tcg')).failure).toBeUndefined();
  // Keys: what is in the files themselves, too.
  const body = readFileSync(layout.clientKey, 'utf8').split('\n')[2] ?? '';
  expect(body.length).toBeGreaterThan(20);
  add(layout.log, logged('key', body));
  const { env, settings, marks, mark, mixed, seenIn } = plantAll(rig);
  mark(body);
  expect(marks.length).toBeGreaterThan(70);
  const report = join(rig.tree, 'report.txt');
  const doctor = async () => {
    const argv = ['doctor', '-d', layout.root, '--report', report];
    const { out, err } = await rig.anyWith(env, ...argv);
    expect(err.join('\n')).toContain(`Wrote ${report}. `);
    const text = readFileSync(report, 'utf8');
    expect(seenIn(text)).toEqual([]);
    expect(statSync(report).mode & 0o777).toBe(0o600);
    return { said: out.join('\n'), text };
  };
  symlinkSync(layout.config, report);
  lchownSync(report, 1234, 1234);
  const misled = await rig.anyWith(env, 'doctor', '-d', layout.root, '--report', report);
  expect(misled.failure).toMatchObject({ kind: 'report-misled' });
  rmSync(report);
  const { text } = await doctor();
  // Short words are not known to be secret; a parser repeats them, and cuts longer ones.
  mark('hush7z');
  writeFileSync(layout.config, `{"cpus": hush7z, ${mixed()}: 2 }`);
  expect((await doctor()).said).toContain('hush7z');
  // With settings that are right it looks further, into what Nix is told. What it says to its user may have secrets.
  writeFileSync(layout.config, JSON.stringify(settings));
  const further = await doctor();
  expect(seenIn(further.said).length).toBeGreaterThan(1);
  expect(further.text).toMatch(/nix settings: .*builders = .*\[left out\]/);
  expect(further.text).toMatch(/\[left out\], line 1 sets builders = .*\[left out\]/);
  // And it is of use.
  for (const words of [
    /^== machine\nlinuxkit-builder \S+, Node \d+\./m,
    /^environment variables that are set: .*NIX_CONFIG/m,
    /^BAD +settings: .*config\.json cannot be used/m,
    /^cpus: 1$/m,
    /^snapshots: \(set\)$/m,
    new RegExp(`^nix-daemon: building /nix/store/${hash}-\\[left out\\]$`, 'm'),
    /"event":"proxy"/,
    /^== guest's console$/m,
  ])
    expect(text).toMatch(words);
  expect(text).not.toContain(systemPaths.home);
});

test('of a log it has the end, however large that is and however lately it was rotated', async () => {
  using rig = configureRig();
  const { layout } = rig;
  const report = join(rig.tree, 'report.txt');
  put(`${layout.log}.1`, `${logged('first', '').repeat(400)}${logged('last-before', '')}`);
  put(layout.log, logged('first-after', ''));
  put(
    layout.daemonOutput,
    `${'it said something of no matter\n'.repeat(600_000)}and then gave up\n`,
  );
  const argv = ['doctor', '-d', layout.root, '--report', report];
  await rig.anyWith({ LINUXKIT_BUILDER_TREE: rig.tree }, ...argv);
  const text = readFileSync(report, 'utf8');
  expect(text).toMatch(/"last-before".*\n.*"first-after"/);
  expect(text).toMatch(
    /^== daemon's output\n(it said something of no matter\n){49}and then gave up$/m,
  );
  expect(text.split('\n').length).toBeLessThan(450);
});

test('what a parser repeats of the settings is not among the findings as JSON', async () => {
  using rig = configureRig();
  mkdirSync(rig.layout.root, { recursive: true, mode: 0o700 });
  writeFileSync(rig.layout.config, '{"cpus": hush7z}');
  const argv = ['doctor', '-d', rig.layout.root];
  const env = { LINUXKIT_BUILDER_TREE: rig.tree };
  expect((await rig.anyWith(env, ...argv)).out.join('\n')).toContain('hush7z');
  const [json = ''] = (await rig.anyWith(env, ...argv, '--json')).out;
  expect(json).toContain('config.json');
  expect(json).not.toContain('hush7z');
});

test('cannot be written: says so, and what doctor found is said all the same', async () => {
  using rig = configureRig();
  const folder = join(rig.tree, 'not there');
  const argv = ['doctor', '-d', rig.layout.root, '--report', join(folder, 'report')];
  const { out, failure } = await rig.anyWith({ LINUXKIT_BUILDER_TREE: rig.tree }, ...argv);
  expect(failure).toMatchObject({ kind: 'cannot-write' });
  expect(out.join('\n')).toContain('settings:');
});

test.each(['-', '', '/dev/stdout'])(
  '%j is no file, which is said before any check',
  async (word) => {
    using rig = configureRig();
    const argv = ['doctor', '-d', rig.layout.root, '--report', word];
    const ran = await rig.anyWith({ LINUXKIT_BUILDER_TREE: rig.tree }, ...argv);
    expect(ran.failure?.message).toContain('It must be the name of a file to write');
    expect(ran.out).toEqual([]);
  },
);
