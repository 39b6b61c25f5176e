import { spawn } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { withoutBlock } from '../../src/host/managed-block.ts';
import { parseMachines } from '../../src/nix/machines.ts';
import { readInstalled } from '../../src/host/installed.ts';
import { parseConfig } from '../../src/config/config.ts';
import { statusOf } from '../../src/supervisor/status/status-of.ts';
import { writeStatus } from '../../src/supervisor/status/status-file.ts';
import { proxyOf } from '../../src/nix/ssh/stanza.ts';
import { plainly } from '../../src/system/advice.ts';
import { hostFacts } from '../../src/system/host/host.ts';
import { identify } from '../../src/system/process/process.ts';
import { run as runProgram } from '../../src/system/process/child.ts';
import { tryProgram } from '../../src/system/process/find-program.ts';
import { configureRig } from './configure-rig.ts';
import { needs } from '../needs.ts';
import { nothingToChange } from '../../src/setup/configure/configure.ts';
import { featureWarnings } from '../../src/nix/features.ts';
import { forAdministrator } from '../../src/setup/root/run-script.ts';
import { underSudo } from '../../src/cli/setup/configure-command.ts';
import { movedLegacy, startsAtLogin } from '../../src/setup/configure/apply-plan.ts';
import { saying } from '../fakes/saying.ts';

// Without root's rights the real root part needs sudo; root-files.test.ts has that path.

describe('configure', needs('root'), () => {
  test('makes everything that Nix and ssh need', async () => {
    using rig = configureRig();
    const { layout, root } = rig;
    const outcome = await rig.run('-f', 'big-parallel,kvm', '-c', '1', '--max-jobs', '3');
    expect(outcome.failure).toBeUndefined();
    expect(outcome.err).toEqual([
      ...featureWarnings(['kvm'], undefined).map(
        (each) => expect.stringContaining(plainly(each)) as string,
      ),
      expect.stringContaining('3 builds at a time may run out of memory with 1 CPU and'),
    ]);
    expect(rig.read(layout.config)).toBe(
      '{\n  "features": [\n    "big-parallel",\n    "kvm"\n  ],\n  "cpus": 1,\n  "maxJobs": 3\n}\n',
    );
    const { machines, bad } = parseMachines(rig.list(), 'old');
    expect(bad).toEqual([]);
    expect(machines).toMatchObject([
      {
        store: 'ssh-ng://builder@nix-linuxkit',
        maxJobs: 3,
        features: ['big-parallel', 'kvm', 'linuxkit-builder'],
      },
    ]);
    expect(rig.read(layout.knownHosts)).toMatch(/^nix-linuxkit ssh-ed25519 \S+\n$/);
    // Root's own: no key of the user's is copied.
    expect(rig.read(root.clientKey)).not.toBe(rig.read(layout.clientKey));
    const modes = [layout.root, layout.keys, layout.state, layout.config, layout.clientKey];
    expect(modes.map(rig.mode)).toEqual(['700', '700', '700', '600', '600']);
    const rootModes = [root.clientKey, root.sshConfig, root.list, root.machines, root.ssh];
    expect(rootModes.map(rig.mode)).toEqual(['600', '644', '644', '644', '600']);
    expect(rig.mode(join(rig.systemPaths.rootHome, '.ssh'))).toBe('700');
  });

  test('says what else Nix may be told of a builder', async () => {
    using rig = configureRig();
    const kept = ['--mandatory-features', 'mine,linuxkit-builder', '--speed-factor', '4'];
    await rig.run(...kept, '--protocol', 'ssh', '-f', 'kvm');
    const { machines, bad } = parseMachines(rig.list(), 'old');
    expect(bad).toEqual([]);
    expect(machines).toMatchObject([
      {
        store: 'ssh://builder@nix-linuxkit',
        speedFactor: 4,
        features: ['kvm', 'mine', 'linuxkit-builder'],
        mandatory: ['mine', 'linuxkit-builder'],
      },
    ]);
    expect(rig.read(rig.layout.example)).toContain('[ "linuxkit-builder" "mine" ]');
    expect((await rig.doctor()).find(({ name }) => name === "root's files")).toMatchObject({
      kind: 'good',
    });
    await rig.run('--reset', 'speed-factor,protocol,mandatory-features');
    expect(parseMachines(rig.list(), 'old').machines).toMatchObject([
      { store: 'ssh-ng://builder@nix-linuxkit', speedFactor: 1, mandatory: [] },
    ]);
  });

  // Behaviour 75: With `door` set to `unix`, the front door opens no port. ssh connects to a Unix socket in a
  // directory that only the owner and root can enter.
  test('makes the front door a socket, and a port again, to the byte', async () => {
    using rig = configureRig();
    await rig.run('--port', '24099');
    const port = rig.snapshot();
    const { out, failure } = await rig.run('--door', 'unix');
    expect(failure).toBeUndefined();
    expect(out.join('\n')).toContain(`Created ${rig.root.door}`);
    expect(rig.mode(rig.root.door)).toBe('700');
    const proxies = [rig.layout.sshConfig, rig.root.sshConfig].map((path) =>
      proxyOf(rig.read(path)),
    );
    expect(proxies[0]).toMatch(/^\/\S+ .*door\/socket'?$/);
    expect(proxies[1]).toBe(proxies[0]);
    const found = await rig.doctor();
    for (const name of ['your files', "root's files"])
      expect(found.find((finding) => finding.name === name)?.kind).toBe('good');
    expect(await rig.run()).toMatchObject({ out: [nothingToChange] });
    expect(await rig.run('--dry-run')).toMatchObject({ out: [nothingToChange] });
    await rig.run('--reset', 'door');
    expect(rig.snapshot()).toEqual(port);
  });

  test('says that root was told of a port, and takes a socket back', async () => {
    using rig = configureRig();
    const before = rig.snapshot();
    await rig.run();
    await rig.run('--door', 'unix', '--no-root');
    const roots = (await rig.doctor()).find(({ name }) => name === "root's files");
    expect(JSON.stringify(roots)).toContain('door (tcp there, unix configured)');
    await rig.run();
    await rig.unconfigure('--purge', '--yes');
    const ours = ([name]: [string, unknown]) => !name.startsWith('cache');
    const after = Object.fromEntries(Object.entries(rig.snapshot()).filter(ours));
    expect(after).toEqual(Object.fromEntries(Object.entries(before).filter(ours)));
  });

  test('says what it did, and the second time that there is nothing to do', async () => {
    using rig = configureRig();
    const { out } = await rig.run('--accel', 'tcg');
    expect(JSON.parse(rig.read(rig.layout.config))).toEqual({ accelerator: 'tcg' });
    for (const path of [rig.layout.config, rig.root.machines, rig.root.ssh])
      expect(out.join('\n')).toContain(`Wrote ${path}`);
    const before = rig.snapshot();
    expect(await rig.run()).toMatchObject({ out: [nothingToChange], failure: undefined });
    expect(rig.snapshot()).toEqual(before);
    expect((await rig.run('-q')).out).toEqual([]);
    expect((await rig.run('-v')).out).toContain(`Unchanged: ${rig.layout.config}`);
  });

  test('changes what is asked for and nothing else', async () => {
    using rig = configureRig();
    await rig.run('-c', '1', '-s', '20', '--port', '24999');
    const before = rig.snapshot();
    const { out } = await rig.run('--max-jobs', '7');
    const after = rig.snapshot();
    const changed = Object.keys(after).filter((name) => after[name] !== before[name]);
    expect(changed.sort()).toEqual(
      [rig.layout.config, rig.layout.machines, rig.root.list]
        .map((path) => path.slice(rig.tree.length + 1))
        .sort(),
    );
    expect(out.filter((line) => line.startsWith('Wrote '))).toHaveLength(3);
    expect(rig.read(rig.layout.config)).toContain('"port": 24999');
    expect(rig.list()).toContain(' - 7 1 ');
  });

  test('compares with what runs, and not with what the file said since', async () => {
    using rig = configureRig();
    await rig.run('-c', '1');
    const daemon = identify(process.pid);
    const parsed = parseConfig(rig.read(rig.layout.config), hostFacts(rig.tree));
    if (daemon === undefined || !parsed.ok) throw new Error('no process, no config');
    const { config } = parsed;
    const state = { phase: 'booting', since: 0, attempt: 1, stage: undefined } as const;
    const rest = { facts: {}, door: undefined, problems: [] };
    writeStatus(rig.layout, statusOf({ state, daemon, config, runs: config, ...rest }));
    const change = (await rig.run('--port', '24999')).out.join('\n');
    expect(change).toContain('port: 24083 to 24999');
    // Said as long as the guest runs with the old one.
    expect((await rig.run('--max-jobs', '3')).out.join('\n')).toContain(
      'port: 24083 to 24999; maxJobs: 1 to 3',
    );
    const back = (await rig.run('--reset', 'port,maxJobs')).out.join('\n');
    expect(back).not.toMatch(/port: |maxJobs: /);
  });

  test('a change of port reaches every ssh configuration', async () => {
    using rig = configureRig();
    await rig.run();
    await rig.run('--port', '24999');
    for (const path of [rig.layout.sshConfig, rig.root.sshConfig])
      expect(rig.read(path)).toContain('Port 24999\n');
  });

  test('the real ssh reads what root is given, before Host * of others', async () => {
    using rig = configureRig();
    mkdirSync(join(rig.systemPaths.rootHome, '.ssh'), { mode: 0o700 });
    writeFileSync(rig.root.ssh, 'Host *\r\n  Port 1\r\n  ProxyJump x', { mode: 0o600 });
    await rig.run();
    const { stdout, stderr } = await runProgram('ssh', ['-G', '-F', rig.root.ssh, 'nix-linuxkit']);
    expect(stderr).toBe('');
    expect(stdout).toContain('\nport 24083\n');
    expect(stdout).toContain(`identityfile ${rig.root.clientKey}\n`);
    expect(stdout).not.toContain('proxyjump');
  });

  test.each(['nowhere', 'no directory/nowhere'])(
    'replaces a link to %s in the place of a file of ours',
    async (to) => {
      using rig = configureRig();
      await rig.run();
      const before = rig.read(rig.layout.sshConfig);
      rmSync(rig.layout.sshConfig);
      symlinkSync(to, rig.layout.sshConfig);
      expect((await rig.run()).failure).toBeUndefined();
      expect(rig.read(rig.layout.sshConfig)).toBe(before);
      expect(existsSync(join(rig.layout.root, to))).toBe(false);
    },
  );

  test("leaves other people's lines as they were, whatever their line ends", async () => {
    using rig = configureRig();
    const machines = Buffer.from('ssh://a x86_64-linux\r\n# caf\xe9\r\nssh://b', 'latin1');
    const ssh = Buffer.from('Host *\n  User me');
    mkdirSync(join(rig.systemPaths.rootHome, '.ssh'));
    writeFileSync(rig.root.machines, machines);
    writeFileSync(rig.root.ssh, ssh);
    await rig.run();
    const bytes = (path: string) =>
      Buffer.from(
        rig.snapshot()[path.slice(rig.tree.length + 1)]?.replace(/^\d+ \d+:\d+ /, '') ?? '',
        'latin1',
      );
    expect(withoutBlock(bytes(rig.root.machines))).toEqual(machines);
    expect(withoutBlock(bytes(rig.root.ssh))).toEqual(ssh);
  });

  test("leaves root's record of whose it is, and of what was made where nothing was", async () => {
    using rig = configureRig();
    writeFileSync(rig.root.machines, 'ssh://a\n', { mode: 0o640 });
    await rig.run();
    expect(readInstalled(rig.root.installed)?.owner.directory).toBe(rig.layout.root);
    expect(rig.read(rig.root.made).split('\n')).toEqual([dirname(rig.root.ssh), rig.root.ssh, '']);
    expect(rig.mode(rig.root.machines)).toBe('640');
  });

  test('a dry run shows each change as a diff and writes nothing', async () => {
    using rig = configureRig();
    const empty = rig.snapshot();
    const { out } = await rig.run('--dry-run', '-c', '1');
    expect(rig.snapshot()).toEqual(empty);
    expect(out).toContain('+  "cpus": 1');
    await rig.run();
    const before = rig.snapshot();
    const second = await rig.run('--dry-run', '--max-jobs', '5');
    expect(rig.snapshot()).toEqual(before);
    expect(second.out.filter((line) => /^[-+] /.test(line) || /^\+ssh/.test(line))).toHaveLength(3);
    expect(second.out.join('\n')).not.toContain('PRIVATE KEY');
    expect((await rig.run('--dry-run')).out).toEqual([nothingToChange]);
  });

  test('without root the rest is done, and the script alone is on the output', async () => {
    using rig = configureRig();
    const { out, err } = await rig.run('--no-root');
    expect(err.join('\n')).toContain(forAdministrator(''));
    expect(Object.keys(rig.snapshot()).filter((name) => name.includes('etc/nix/'))).toEqual([]);
    expect(out.join('\n')).not.toContain('PRIVATE');
    expect((await runProgram('/bin/sh', ['-c', out.join('\n')])).stderr).toBe('');
    expect((await rig.run('--no-root')).out).toEqual([]);
    expect(rig.list()).toContain('nix-linuxkit');
  });

  test('deletes the request with a private key that the release before left', async () => {
    using rig = configureRig();
    await rig.run('--no-root');
    writeFileSync(rig.layout.rootRequest, '{"clientKey": "PRIVATE"}');
    await rig.run();
    expect(existsSync(rig.layout.rootRequest)).toBe(false);
  });
});

describe('configure refuses', () => {
  test('everything that is wrong at once, and writes nothing', async () => {
    using rig = configureRig();
    const before = rig.snapshot();
    const { failure } = await rig.run('-c', '0', '-m', 'much', '--port', '99999', '-f', 'a b');
    expect(failure).toMatchObject({ kind: 'bad-settings', exit: 64 });
    for (const path of ['--cpus = 0', '--memory = "much"', '--port', '--features'])
      expect(failure?.lines?.map(plainly).join('\n')).toContain(path);
    expect(rig.snapshot()).toEqual(before);
  });

  test('a bundle that is not whole, or not there, and writes nothing', async () => {
    using rig = configureRig();
    const before = rig.snapshot();
    for (const [part, text] of [
      ['', ''],
      ['kernel', 'no kernel'],
    ] as const) {
      if (part !== '') writeFileSync(join(rig.tree, `mine-${part}`), text);
      const { failure } = await rig.run('--bundle', join(rig.tree, 'mine'));
      expect(failure?.kind).toBe('bad-settings');
      expect(failure?.lines).toHaveLength(1);
      expect(plainly(failure?.lines?.[0] ?? '')).toMatch(/^--bundle = ".*mine": /);
      rmSync(join(rig.tree, `mine-${part}`), { force: true });
    }
    expect(rig.snapshot()).toEqual(before);
  });

  test('a name that is no setting, given to --reset', async () => {
    using rig = configureRig();
    await rig.run('-c', '1', '--port', '24999');
    const before = rig.snapshot();
    const { failure } = await rig.run('--reset', 'cpus,colour');
    expect(failure?.lines).toEqual([saying('--reset = "colour"')]);
    expect(rig.snapshot()).toEqual(before);
    // A setting may be named as its flag is.
    expect((await rig.run('--reset', 'cpus, disk,port')).failure).toBeUndefined();
    expect(rig.read(rig.layout.config)).toBe('{}\n');
  });

  test('NixOS tests without KVM, which they need', async () => {
    using rig = configureRig();
    const { failure } = await rig.run('-f', 'nixos-test');
    expect(failure?.lines).toEqual([saying(/^--features = .*kvm/)]);
  });

  test('a directory that ssh could not name, together with bad settings', async () => {
    using rig = configureRig();
    const { failure } = await rig.runWith({}, '-d', join(rig.tree, 'a"b'), '-c', '0');
    expect(failure?.lines).toHaveLength(2);
  });

  test('a file where the state directory should be', async () => {
    using rig = configureRig();
    const path = join(rig.tree, 'file');
    writeFileSync(path, '');
    const { failure } = await rig.runWith({}, '-d', path);
    expect(failure).toMatchObject({ kind: 'bad-settings' });
    expect(failure?.lines?.map(plainly).join('')).toContain(path);
  });

  test('a disk smaller than the one that exists', async () => {
    using rig = configureRig();
    mkdirSync(rig.layout.root, { recursive: true });
    writeFileSync(rig.layout.mark, '');
    writeFileSync(rig.layout.disk, '');
    truncateSync(rig.layout.disk, 4 * 1024 ** 3);
    const { failure } = await rig.run('-s', '3');
    expect(failure).toMatchObject({ kind: 'bad-settings' });
    expect(failure?.lines?.map(plainly).join('')).toMatch(/^--disk = 3: .*4 GiB/);
  });

  test('to make root the owner by accident', needs('root'), async () => {
    using rig = configureRig();
    const { failure } = await rig.runWith({ SUDO_USER: 'ann' });
    expect(failure).toEqual(underSudo('ann', 'sudo'));
    expect(
      (await rig.runWith({ SUDO_USER: 'ann' }, '-d', rig.layout.root)).failure,
    ).toBeUndefined();
  });
});

describe('configure leaves alone and says', needs('root'), () => {
  test('what the Nix store owns', async () => {
    using rig = configureRig();
    symlinkSync('/nix/store/00000000000000000000000000000000-machines', rig.root.machines);
    const { err, failure } = await rig.run();
    expect(failure).toBeUndefined();
    expect(err.join('\n')).toContain('publicHostKey = "');
    expect(err.join('\n')).toContain('"linuxkit-builder"');
    expect(rig.snapshot()[rig.root.machines.slice(rig.tree.length + 1)]).toContain(
      '-> /nix/store/',
    );
  });

  test.each([
    ['the directory', 'Library/LaunchAgents', ''],
    ['the directory, by way of another link', 'Library/LaunchAgents', 'dotfiles'],
    ['the plist', 'Library/LaunchAgents/org.nix-community.linuxkit-builder.plist', ''],
  ])('%s of the login job in the Nix store: nothing is written there', async (_, link, by) => {
    using rig = configureRig();
    const store = '/nix/store/00000000000000000000000000000000-agents';
    const path = join(rig.systemPaths.home, link);
    mkdirSync(dirname(path), { recursive: true });
    if (by !== '') symlinkSync(store, join(rig.tree, by));
    symlinkSync(by === '' ? store : join(rig.tree, by), path);
    const launchd = { LINUXKIT_BUILDER_SERVICE: 'launchd' };
    const run = () => rig.runWith(launchd, '-d', rig.layout.root, '--autostart');
    const { out, err, failure } = await run();
    expect(failure).toBeUndefined();
    expect(lstatSync(path).isSymbolicLink()).toBe(true);
    expect(err.join('\n')).toContain(store);
    expect(err.join('\n')).toContain('nix-darwin: launchd.user.agents');
    expect(out.join('\n')).not.toContain(startsAtLogin);
    // Nobody says that launchd has been told, and a removal leaves it.
    const receipts = rig.read(rig.layout.receipts);
    expect(receipts).not.toContain('.plist');
    expect((await run()).failure).toBeUndefined();
    expect((await rig.unconfigure()).failure).toBeUndefined();
    expect(lstatSync(path).isSymbolicLink()).toBe(true);
  });

  test('malformed lines of others, by number', async () => {
    using rig = configureRig();
    writeFileSync(rig.root.machines, 'ssh://a\nssh://b - - many\n');
    const { err } = await rig.run();
    expect(err.join('\n')).toMatch(/line 2: column 4/);
    expect(rig.list()).toContain('nix-linuxkit');
  });

  test('a builders setting that hides the file', async () => {
    using rig = configureRig();
    writeFileSync(rig.root.nixConf, 'builders =\n');
    expect((await rig.run()).err.join('\n')).toContain('so Nix ignores');
  });

  test('a machine without Nix', async () => {
    using rig = configureRig();
    const bare = join(rig.tree, 'bare');
    const { err } = await rig.runWith(
      { LINUXKIT_BUILDER_TREE: bare },
      '-d',
      join(bare, 's'),
      '--dry-run',
    );
    expect(err.join('\n')).toContain('not installed');
  });
});

const stored = '/nix/store/00000000000000000000000000000000';

test('a second user is refused before anything is written', needs('root'), async () => {
  using rig = configureRig();
  mkdirSync(dirname(rig.root.installed), { recursive: true });
  const owner = { name: 'ann', uid: 54321, directory: '/home/ann/state' };
  writeFileSync(rig.root.installed, JSON.stringify({ version: 1, owner, receipts: [] }));
  const before = rig.snapshot();
  for (const argv of [[], ['--dry-run'], ['--no-root'], ['--port', '24100']]) {
    const { failure } = await rig.run(...argv);
    expect(failure).toMatchObject({ kind: 'second-user', exit: 77 });
    expect(failure?.message).toContain('ann (uid 54321)');
    // With the place of whoever asks it would be for another builder.
    expect(plainly(failure?.hint ?? '')).toContain(
      "linuxkit-builder unconfigure -d '/home/ann/state'",
    );
    expect(rig.snapshot()).toEqual(before);
  }
});

describe('configure meets', needs('root'), () => {
  type Rig = ReturnType<typeof configureRig>;
  const put = (rig: Rig, path: string, text = '') => {
    const at = join(rig.tree, path);
    mkdirSync(dirname(at), { recursive: true });
    writeFileSync(at, text);
  };
  /** Each kind of Nix by the files that its installer leaves, and by what `nix --version` says. */
  const kinds: Readonly<Record<string, readonly [string, (rig: Rig) => void, RegExp]>> = {
    'upstream Nix with a daemon': [
      'nix (Nix) 2.31.2',
      (rig) => {
        put(rig, 'nix/var/nix/daemon-socket/socket');
        put(rig, 'etc/nix/nix.conf', 'build-users-group = nixbld\n');
      },
      /^This machine has Nix 2\.31\.2, multi-user\.$/m,
    ],
    'single-user Nix': [
      'nix (Nix) 2.18.1',
      (rig) => put(rig, 'nix/store/x/y'),
      /^This machine has Nix 2\.18\.1, single-user\.$/m,
    ],
    Lix: [
      'nix (Lix, like Nix) 2.93.3',
      (rig) => put(rig, 'Library/LaunchDaemons/org.nixos.nix-daemon.plist'),
      /^This machine has Lix 2\.93\.3, multi-user\.$/m,
    ],
    'Determinate Nix': [
      'nix (Determinate Nix 3.8.4) 2.30.1',
      (rig) => {
        put(rig, 'etc/nix/nix.conf', '# made anew at each start\n!include nix.custom.conf\n');
        put(rig, 'etc/nix/nix.custom.conf', 'cores = 3\n');
        put(rig, 'Library/LaunchDaemons/systems.determinate.nix-daemon.plist');
      },
      /^This machine has Determinate Nix 3\.8\.4 \(Nix 2\.30\.1\), multi-user\.$/m,
    ],
    'nix-darwin': [
      'nix (Nix) 2.31.2',
      (rig) => {
        symlinkSync(`${stored}-etc`, join(rig.tree, 'etc/static'));
        symlinkSync('/etc/static/nix/nix.conf', rig.root.nixConf);
      },
      /^This machine has Nix 2\.31\.2, multi-user, managed by nix-darwin\.$/m,
    ],
    'nix-darwin with nix.enable = false': [
      'nix (Nix) 2.31.2',
      (rig) => {
        symlinkSync(`${stored}-etc`, join(rig.tree, 'etc/static'));
        put(rig, 'etc/nix/nix.conf', 'experimental-features = nix-command\n');
      },
      /^This machine has Nix 2\.31\.2, multi-user, not managed by nix-darwin \(nix\.enable = false\)\.$/m,
    ],
    'Determinate Nix beside nix-darwin': [
      'nix (Determinate Nix 3.8.4) 2.30.1',
      (rig) => {
        symlinkSync(`${stored}-etc`, join(rig.tree, 'etc/static'));
        put(rig, 'etc/nix/nix.conf', '!include nix.custom.conf\n');
        put(rig, 'usr/local/bin/determinate-nixd');
      },
      /^This machine has Determinate Nix 3\.8\.4 \(Nix 2\.30\.1\), multi-user, managed by nix-darwin\.$/m,
    ],
    NixOS: [
      'nix (Nix) 2.31.2',
      (rig) => {
        put(rig, 'etc/NIXOS');
        symlinkSync(`${stored}-etc`, join(rig.tree, 'etc/static'));
        symlinkSync('/etc/static/nix/nix.conf', rig.root.nixConf);
      },
      /^This machine has Nix 2\.31\.2, multi-user, managed by NixOS\.$/m,
    ],
  };

  test.each(Object.keys(kinds))('%s', async (name) => {
    using rig = configureRig();
    const [version, lay, said] = kinds[name] ?? ['', () => undefined, /x/];
    put(rig, 'bin/nix', `#!/bin/sh\necho '${version}'\n`);
    chmodSync(join(rig.tree, 'bin/nix'), 0o755);
    lay(rig);
    const before = rig.snapshot();
    const path = `${join(rig.tree, 'bin')}:${process.env['PATH'] ?? ''}`;
    const { out, err, failure } = await rig.runWith({ PATH: path }, '-d', rig.layout.root);
    expect(failure).toBeUndefined();
    expect(out.join('\n')).toMatch(said);
    const after = rig.snapshot();
    for (const conf of ['etc/nix/nix.conf', 'etc/nix/nix.custom.conf'])
      expect(after[conf]).toBe(before[conf]);
    const declared = name === 'nix-darwin';
    expect(existsSync(rig.root.machines)).toBe(!declared);
    expect(err.join('\n').includes('nix.buildMachines = [ {')).toBe(declared);
    await rig.unconfigure('--purge', '--yes');
    mkdirSync(dirname(rig.layout.root), { recursive: true });
    expect({ ...rig.snapshot(), cache: before['cache'] }).toEqual({
      ...before,
      cache: before['cache'],
    });
  });
});

describe('a list of builders that a configuration makes', needs('root'), () => {
  const machines = `${stored}-machines`;

  test.each([
    ['by NixOS', ['etc/NIXOS'], 'nix.buildMachines = [ {'],
    [
      "by Determinate's module for nix-darwin",
      ['usr/local/bin/determinate-nixd', 'run/current-system/darwin-version'],
      'determinateNix.buildMachines = [ {',
    ],
  ])('%s is left, and its option is told', async (_, signs, option) => {
    using rig = configureRig();
    for (const sign of [...signs, 'nix/var/nix/daemon-socket/socket']) {
      mkdirSync(dirname(join(rig.tree, sign)), { recursive: true });
      writeFileSync(join(rig.tree, sign), '');
    }
    symlinkSync(machines, rig.root.machines);
    const { err, failure } = await rig.run();
    expect(failure).toBeUndefined();
    expect(err.join('\n')).toMatch(new RegExp(`^  ${option.replace(/[.[{]/g, '\\$&')}$`, 'm'));
    expect(rig.snapshot()['etc/nix/machines']).toBe(`-> ${machines}`);
  });

  // A link into /etc/static is a configuration's, even one that leads nowhere any more.
  test.each([
    ['of its own', 'mine', false],
    ['of its own, on NixOS', 'mine', false],
    ['by way of /etc/static', '/etc/static/nix/machines', true],
  ])('or a person, by a link %s', async (name, to, isMade) => {
    using rig = configureRig();
    if (name.includes('NixOS')) writeFileSync(join(rig.tree, 'etc/NIXOS'), '');
    writeFileSync(join(rig.systemPaths.etcNix, 'mine'), 'ssh://mine x86_64-linux\n');
    symlinkSync(to, rig.root.machines);
    const { err, failure } = await rig.run('-c', '1');
    expect(failure).toBeUndefined();
    expect(err.join('\n').includes('nix.buildMachines')).toBe(isMade);
    expect(err.includes(`@${rig.root.list}`)).toBe(!isMade);
    const findings = await rig.doctor();
    expect(findings.find((each) => each.name === "root's files")).toMatchObject({ kind: 'bad' });
    if (isMade) return;
    expect(rig.read(rig.root.machines)).toBe('ssh://mine x86_64-linux\n');
    // What it says is what helps.
    writeFileSync(
      join(rig.systemPaths.etcNix, 'mine'),
      `ssh://mine x86_64-linux\n@${rig.root.list}\n`,
    );
    const after = await rig.doctor();
    expect(after.find((each) => each.name === "root's files")).toMatchObject({ kind: 'good' });
    expect((await rig.run('-c', '1')).out).toEqual([nothingToChange]);
  });

  test('by hand beside nix-darwin is looked at: where the builder is in it, nothing is to be done', async () => {
    using rig = configureRig();
    mkdirSync(join(rig.tree, 'nix'));
    await rig.run('-c', '1');
    const line = rig.list();
    symlinkSync(`${stored}-etc`, join(rig.tree, 'etc/static'));
    symlinkSync('/etc/static/nix/nix.conf', rig.root.nixConf);
    writeFileSync(rig.root.machines, line.replace(/^#.*\n/gm, ''));
    const { out, err } = await rig.run('-c', '1');
    expect(err.join('\n')).not.toContain('buildMachines');
    expect(out).toEqual([nothingToChange]);
    const findings = await rig.doctor();
    expect(findings.find(({ name }) => name === "root's files")).toMatchObject({ kind: 'good' });
  });
});

describe('a directory of linuxkit-nix', needs('root'), () => {
  /** As its configure.sh leaves it, with what it adds to files of others. */
  function legacyRig() {
    const rig = configureRig();
    const put = (path: string, text: string) => {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
    };
    const { root, disk } = rig.layout;
    put(join(root, 'configure'), 'FEATURES=kvm,big-parallel\nSIZE=30\nMEM=2048\nVERBOSE=\n');
    put(join(root, 'keys/client'), 'KEY');
    put(join(root, 'keys/known_host'), '[localhost]:24083 x');
    put(join(root, 'server-config.tar'), 'tar');
    put(disk, 'its blocks');
    put(
      rig.root.ssh,
      `Include ${rig.systemPaths.rootHome}//.ssh/nix-linuxkit-ssh-config\nHost a\n`,
    );
    put(rig.root.machines, 'ssh://a\n\nssh://nix-linuxkit x86_64-linux /k/client 1 1 kvm\n');
    return rig;
  }

  test('is not touched unasked', async () => {
    using rig = legacyRig();
    const before = rig.snapshot();
    const { failure } = await rig.run();
    expect(failure).toMatchObject({ kind: 'legacy-directory', exit: 64 });
    expect(plainly(failure?.hint ?? '')).toContain('--take-over');
    expect(rig.snapshot()).toEqual(before);
  });

  test('is not undone as if it were ours: unconfigure tells what it is, and how to be rid of it', async () => {
    using rig = legacyRig();
    const before = rig.snapshot();
    for (const argv of [['--purge', '--yes'], ['--dry-run']]) {
      const { failure } = await rig.unconfigure(...argv);
      expect(failure).toMatchObject({ kind: 'legacy-directory', exit: 64 });
      expect(failure?.lines).toContainEqual(expect.stringContaining(`rm -r '${rig.layout.root}'`));
    }
    expect(rig.snapshot()).toEqual(before);
  });

  test('is not taken over while its VM lives', async () => {
    using rig = legacyRig();
    const hyperkit = join(rig.tree, 'com.docker.hyperkit');
    copyFileSync(tryProgram('sleep') ?? '', hyperkit);
    const vm = spawn(hyperkit, ['600'], { stdio: 'ignore' });
    try {
      const { state } = rig.layout;
      mkdirSync(state);
      writeFileSync(join(state, 'hyperkit.pid'), `${vm.pid ?? 0}\n`);
      const before = rig.snapshot();
      const { failure } = await rig.run('--take-over');
      expect(failure).toMatchObject({ kind: 'legacy-vm-lives', exit: 75 });
      expect(failure?.message).toContain(`pid ${vm.pid ?? 0}`);
      expect(rig.snapshot()).toEqual(before);
      // A number that is somebody else's by now is no VM.
      writeFileSync(join(state, 'hyperkit.pid'), `${process.pid}\n`);
      expect((await rig.run('--take-over')).failure).toBeUndefined();
    } finally {
      vm.kill('SIGKILL');
    }
  });

  test('is taken over by a second run where the first was cut short, wherever that was', async () => {
    using rig = legacyRig();
    const { root, disk } = rig.layout;
    const aside = (name: string) => join(root, 'linuxkit-nix', name);
    mkdirSync(aside('keys'), { recursive: true });
    renameSync(disk, aside('nix-disk'));
    expect((await rig.run()).failure?.kind).toBe('legacy-directory');
    await rig.run('--take-over');
    expect(JSON.parse(rig.read(rig.layout.config))).toMatchObject({ diskGiB: 30, memoryMiB: 2048 });
    expect(rig.read(aside('nix-disk'))).toBe('its blocks');
    expect(existsSync(join(root, 'configure'))).toBe(false);
    // Cut short after our settings were written.
    renameSync(aside('configure'), join(root, 'configure'));
    expect((await rig.run()).failure).toBeUndefined();
    expect(existsSync(join(root, 'configure'))).toBe(false);
    expect(rig.read(aside('configure'))).toContain('SIZE=30');
  });

  test('is taken over with its settings; nothing is lost, and its lines come back at a removal', async () => {
    using rig = legacyRig();
    const before = rig.snapshot();
    const { out, failure } = await rig.run('--take-over', '-m', '1024');
    expect(failure).toBeUndefined();
    expect(JSON.parse(rig.read(rig.layout.config))).toEqual({
      diskGiB: 30,
      memoryMiB: 1024,
      features: ['big-parallel'],
    });
    const aside = join(rig.layout.root, 'linuxkit-nix');
    expect(out.join('\n')).toContain(movedLegacy(aside));
    expect(rig.read(join(aside, 'nix-disk'))).toBe('its blocks');
    expect(rig.read(join(aside, 'keys/client'))).toBe('KEY');
    // Ours comes first, and ssh takes the first value that it meets.
    expect(rig.read(rig.root.ssh)).toMatch(/^#.*\nInclude "[^]*nix-linuxkit-ssh-config/);
    expect(rig.read(rig.root.machines)).not.toContain('/k/client');
    expect((await rig.run()).out).toEqual([nothingToChange]);
    await rig.unconfigure();
    const name = (path: string) => path.slice(rig.tree.length + 1);
    for (const path of [rig.root.ssh, rig.root.machines])
      expect(rig.snapshot()[name(path)]).toBe(before[name(path)]);
  });
});
