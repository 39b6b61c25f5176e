import { appendFileSync, chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { findingLines } from '../../src/doctor/doctor-command.ts';
import { withRoots } from '../../src/host/system-paths.ts';
import { sshArgv } from '../../src/doctor/ssh/check-ssh.ts';
import { exceptGuest, notGuest } from '../../src/nix/ssh/stanza.ts';
import type { Status } from '../../src/supervisor/status/status-schema.ts';
import { statusOf } from '../../src/supervisor/status/status-of.ts';
import { writeStatus } from '../../src/supervisor/status/status-file.ts';
import { plainly } from '../../src/system/advice.ts';
import { identify } from '../../src/system/process/process.ts';
import { bundleAt } from '../../src/vm/boot-image.ts';
import { fakeKernel } from '../fakes/fake-image.ts';
import { configureRig } from '../setup/configure-rig.ts';
import { needs } from '../needs.ts';

type Rig = ReturnType<typeof configureRig>;
// Root's part needs root's rights.
const asRoot = process.getuid?.() === 0;

/** Configured, with an image that passes for one, and with no trial of accelerators. */
async function configured(...argv: string[]): Promise<Rig> {
  const rig = configureRig();
  const bundle = bundleAt(join(rig.tree, 'image'));
  writeFileSync(bundle.kernel, fakeKernel('6.1'));
  writeFileSync(bundle.initrd, gzipSync('initrd'));
  writeFileSync(bundle.cmdline, 'quiet\n');
  mkdirSync(join(rig.tree, 'nix/store'), { recursive: true });
  const settings = ['--bundle', join(rig.tree, 'image'), '--accelerator', 'tcg', '-c', '1'];
  expect((await rig.run(...settings, ...argv)).failure).toBeUndefined();
  return rig;
}

/** As if a daemon lived, with that in its record. */
function living(rig: Rig, record: Partial<Status>): void {
  const daemon = identify(process.pid);
  if (daemon === undefined) throw new Error('we live');
  const state = { phase: 'stopped', since: 0 } as const;
  const input = {
    state,
    facts: {},
    daemon,
    door: undefined,
    config: undefined,
    runs: undefined,
    problems: [],
  };
  writeStatus(rig.layout, { ...statusOf(input), ...record });
}

const verdicts = (findings: Awaited<ReturnType<Rig['doctor']>>) =>
  Object.fromEntries(findings.map(({ name, kind }) => [name, kind]));
const codesIn = (findings: Awaited<ReturnType<Rig['doctor']>>) =>
  Object.fromEntries(findings.flatMap((each) => ('code' in each ? [[each.name, each.code]] : [])));
const wordsOf = (findings: Awaited<ReturnType<Rig['doctor']>>, name: string) =>
  findings
    .filter((each) => each.name === name)
    .flatMap(findingLines)
    .map(plainly)
    .join('\n');

describe('doctor, before anything is configured', () => {
  test('blames the settings alone', async () => {
    using rig = configureRig();
    const findings = await rig.doctor();
    expect(verdicts(findings)).toMatchObject({
      settings: 'bad',
      daemon: 'skipped',
      build: 'skipped',
    });
    expect(findings.filter(({ kind }) => kind === 'bad')).toHaveLength(1);
    expect(codesIn(findings)).toMatchObject({ settings: 'not-set-up' });
    expect(wordsOf(findings, 'settings')).toContain('linuxkit-builder up');
  });
});

describe('doctor finds', needs('root'), () => {
  test('nothing wrong but the daemon that was not started', async () => {
    using rig = await configured();
    const findings = await rig.doctor();
    expect(verdicts(findings)).toMatchObject({
      'state directory': 'good',
      node: 'good',
      keys: 'good',
      image: 'note',
      accelerator: 'note',
      daemon: 'bad',
      vm: 'skipped',
      'your files': 'good',
      "root's files": 'good',
      'machines line': 'good',
      build: 'skipped',
    });
    expect(codesIn(findings)).toMatchObject({ daemon: 'daemon-not-running' });
    expect(wordsOf(findings, 'daemon')).toContain('-> linuxkit-builder start');
  });

  test('settings that are no JSON, or wrong', async () => {
    using rig = await configured();
    writeFileSync(rig.layout.config, '{"cpus": 0, "port": "x"}');
    const found = await rig.doctor();
    expect(codesIn(found)).toMatchObject({ settings: 'settings-invalid' });
    const words = wordsOf(found, 'settings');
    expect(words).toContain('cpus = 0');
    expect(words).toContain('port = "x"');
  });

  test('open keys and directories, and mends them when asked', async () => {
    using rig = await configured();
    chmodSync(rig.layout.clientKey, 0o644);
    chmodSync(rig.layout.root, 0o755);
    const before = verdicts(await rig.doctor());
    expect(before).toMatchObject({ 'state directory': 'bad', keys: 'skipped' });
    expect(rig.mode(rig.layout.clientKey)).toBe('644');
    // The image is no system, so the daemon that --fix starts could come to nothing: there is none.
    rmSync(join(rig.tree, 'image-kernel'));
    const findings = await rig.doctor({}, '--fix');
    expect(findings.filter((each) => 'fixed' in each).map(({ name }) => name)).toEqual([
      'state directory',
      'keys',
    ]);
    expect([rig.mode(rig.layout.clientKey), rig.mode(rig.layout.root)]).toEqual(['600', '700']);
  });

  test.each([
    ['missing', (path: string) => rmSync(path)],
    ['cut off', (path: string) => writeFileSync(path, '')],
    ['something else', (path: string) => writeFileSync(path, 'x'.repeat(4096))],
  ])('a kernel that is %s', async (_, spoil) => {
    using rig = await configured();
    spoil(join(rig.tree, 'image-kernel'));
    const findings = await rig.doctor();
    expect(verdicts(findings)).toMatchObject({ image: 'bad', daemon: 'skipped' });
    expect(wordsOf(findings, 'image')).toContain('linuxkit-builder image build');
  });

  test("root's files that were never written, or are older than the settings", async () => {
    using rig = await configured('--no-root');
    expect(wordsOf(await rig.doctor(), "root's files")).toMatch(
      / -> linuxkit-builder configure \(/,
    );
    await rig.run();
    expect(verdicts(await rig.doctor())).toMatchObject({ "root's files": 'good' });
    writeFileSync(rig.layout.config, rig.read(rig.layout.config).replace('{', '{"port": 24998,'));
    const findings = await rig.doctor();
    const words = wordsOf(findings, "root's files");
    expect(words).toContain(rig.root.sshConfig);
    expect(codesIn(findings)).toMatchObject({ "root's files": 'root-drift' });
    expect(words).toMatch(/port \(24083 .*24998 /);
    expect(words).toMatch(/-> linuxkit-builder configure .*--no-root/);
    expect(wordsOf(findings, 'your files')).toContain(rig.layout.sshConfig);
  });

  test('an ssh_config of another version, which leads to the same guest, is worth a note only', async () => {
    using rig = await configured();
    const text = rig.read(rig.layout.sshConfig);
    writeFileSync(rig.layout.sshConfig, text.replace(/ *BindAddress .*\n/, ''));
    expect(codesIn(await rig.doctor())).toMatchObject({ 'your files': 'files-older' });
    writeFileSync(rig.layout.sshConfig, text.replace(/Port \d+/, 'Port 1'));
    expect(codesIn(await rig.doctor())).toMatchObject({ 'your files': 'files-changed' });
  });

  test('an example that another release worded differently is no fault', async () => {
    using rig = await configured();
    writeFileSync(rig.layout.example, `# an older comment\n${rig.read(rig.layout.example)}`);
    expect(verdicts(await rig.doctor())).toMatchObject({ 'your files': 'good' });
  });

  test('a malformed builder in a variable of nix-daemon, which is no file to be edited', async () => {
    using rig = await configured();
    const unit = join(rig.tree, 'etc/systemd/system/nix-daemon.service');
    mkdirSync(dirname(unit), { recursive: true });
    const bad = `builders = @${rig.root.machines} ; ssh://b - - many`;
    writeFileSync(unit, `[Service]\nEnvironment="NIX_CONFIG=${bad}"\n`);
    const [found] = (await rig.doctor()).filter(({ name }) => name === 'machines line');
    expect(found).toMatchObject({ code: 'machines-invalid' });
    expect(found).toMatchObject({ what: expect.stringContaining(unit) as string });
    expect(found).not.toMatchObject({ remedy: expect.stringContaining(unit) as string });
  });

  test("somebody's malformed line, and settings that hide the file", async () => {
    using rig = await configured();
    writeFileSync(rig.root.machines, `${rig.read(rig.root.machines)}ssh://b - - many\n`);
    writeFileSync(rig.root.nixConf, 'builders = ssh://b\n');
    const findings = await rig.doctor({ NIX_REMOTE_SYSTEMS: '/x' });
    expect(codesIn(findings)).toMatchObject({
      'machines line': 'machines-invalid',
      'nix settings': 'nix-conflict',
    });
    expect(wordsOf(findings, 'machines line')).toMatch(/line 4: column 4/);
    // Pasted into a shell: the rig's tree has a space in its name.
    expect(findings.find(({ name }) => name === 'machines line')).toMatchObject({
      remedy: `sudo $EDITOR '${rig.root.machines}'`,
    });
    expect(wordsOf(findings, 'nix settings')).toMatch(/line 1 .*builders = ssh:\/\/b/);
    expect(wordsOf(findings, 'nix settings')).toContain('NIX_REMOTE_SYSTEMS=/x');
  });

  test('a daemon that has given up, with its reason and remedy', async () => {
    using rig = await configured();
    const because = { kind: 'x', message: 'QEMU ended: no.', hint: 'Do this.', exit: 69 } as const;
    living(rig, { phase: 'failed', because: { ...because, lines: ['last words'] } });
    const findings = await rig.doctor();
    expect(verdicts(findings)).toMatchObject({ daemon: 'note', vm: 'bad', guest: 'skipped' });
    expect(wordsOf(findings, 'vm')).toBe(
      'BAD   vm: QEMU ended: no.\n        last words\n        -> Do this.',
    );
    expect(findings.find(({ name }) => name === 'vm')).toMatchObject({
      seen: { program: 'qemu', version: expect.stringMatching(/^\d+\.\d+/) as string },
    });
  });

  test('a network program that is gone, and a guest that has written nothing', async () => {
    using rig = await configured();
    living(rig, { phase: 'booting', vmPid: 1, network: 'gvproxy', networkPid: 2 ** 22 + 1 });
    const gone = await rig.doctor();
    expect(codesIn(gone)).toMatchObject({ network: 'network-exited' });
    expect(wordsOf(gone, 'network')).toMatch(/^BAD .*gvproxy \(pid \d+\)/);
    expect(wordsOf(gone, 'network')).toContain('-> linuxkit-builder restart');
    living(rig, { phase: 'booting', vmPid: 1, timeline: [] });
    const silent = await rig.doctor();
    expect(codesIn(silent)).toMatchObject({ console: 'console-silent' });
    expect(verdicts(silent)).toMatchObject({ guest: 'skipped' });
  });

  // Asked by name, as doctor asks it, ssh reads that file all the same.
  test('a configuration of ssh that ssh refuses to read', async () => {
    using rig = await configured();
    chmodSync(join(rig.systemPaths.home, '.ssh/config'), 0o666);
    const findings = await rig.doctor();
    expect(codesIn(findings)).toMatchObject({ 'your files': 'ssh-config-open' });
    expect(wordsOf(findings, 'your files')).toContain('chmod go-w');
  });

  test.each([
    ['too old', 'OpenSSH_7.5p1, LibreSSL 2.5', /^BAD .*too old: OpenSSH_7\.5p1/],
    ['another program', 'Dropbear v2022.83', /^BAD .*not OpenSSH: Dropbear/],
  ])('an ssh that is %s', async (_, says, words) => {
    using rig = await configured();
    const folder = join(rig.tree, 'bin');
    mkdirSync(folder);
    writeFileSync(join(folder, 'ssh'), `#!/bin/sh\necho '${says}' >&2\n`);
    chmodSync(join(folder, 'ssh'), 0o755);
    const findings = await rig.doctor({ PATH: `${folder}:${process.env['PATH'] ?? ''}` });
    expect(wordsOf(findings, 'versions')).toMatch(words);
  });

  test('a guest whose clock is off, and a door behind which is something else', async () => {
    using rig = await configured();
    const server = await listening('HTTP/1.0 400\r\n');
    try {
      const { port } = server.address() as { port: number };
      living(rig, {
        phase: 'ready',
        vmPid: 1,
        clockOffsetMs: -90_000,
        door: { port, draining: false },
      });
      const findings = await rig.doctor();
      expect(codesIn(findings)).toMatchObject({ clock: 'clock-wrong', door: 'door-not-ssh' });
      expect(wordsOf(findings, 'clock')).toContain(' 90.0 s ');
      expect(wordsOf(findings, 'door')).toContain('"HTTP/1.0 400"');
      expect(wordsOf(findings, 'door')).toContain(`pid ${process.pid}`);
      expect(verdicts(findings)).toMatchObject({ 'ssh as you': 'skipped', build: 'skipped' });
    } finally {
      server.close();
    }
  });

  // Behaviour 108: `list` shows that a builder is drained. `doctor`, `explain`, `wait` and `ssh` say so, too, and
  // name `undrain`.
  // Behaviour 109: On a drained builder, `wait` and `ssh` exit with 75. `doctor` does not count the draining as a
  // fault, and leaves out the checks that log in.
  test.each(['ready', 'away'] as const)('a builder that was drained, and is %s', async (phase) => {
    using rig = await configured();
    const server = await listening('');
    try {
      const { port } = server.address() as { port: number };
      const door = { port, draining: false, refusing: true } as const;
      living(rig, { phase, vmPid: 1, clockOffsetMs: 0, door });
      const findings = await rig.doctor({ PATH: `${fakeSsh(rig)}:${process.env['PATH'] ?? ''}` });
      const { build } = verdicts(findings);
      expect(verdicts(findings)).toMatchObject({
        door: 'note',
        'names and caches': 'not-asked',
        'ssh as you': 'not-asked',
        'ssh as root': 'not-asked',
      });
      // Where Nix is installed.
      expect(['not-asked', 'skipped']).toContain(build);
      expect(codesIn(findings)).toMatchObject({ door: 'drained' });
      expect(wordsOf(findings, 'door')).toContain('linuxkit-builder undrain');
    } finally {
      server.close();
    }
  });

  test('a feature that the guest does not have', async () => {
    using rig = await configured();
    const folder = fakeSsh(rig);
    const server = await listening('SSH-2.0-none\r\n');
    try {
      const { port } = server.address() as { port: number };
      await rig.run('--port', String(port), '-f', 'benchmark,kvm');
      living(rig, { phase: 'ready', vmPid: 1, clockOffsetMs: 0, door: { port, draining: false } });
      const findings = await rig.doctor({ PATH: `${folder}:${process.env['PATH'] ?? ''}` });
      expect(verdicts(findings)).toMatchObject({ 'ssh as you': 'good', features: 'bad' });
      expect(codesIn(findings)).toMatchObject({ features: 'feature-missing' });
      expect(wordsOf(findings, 'features')).toContain(' kvm ');
      expect(wordsOf(findings, 'features')).toContain('configure -f benchmark');
    } finally {
      server.close();
    }
  });

  test('what NIX_SSHOPTS adds to the ssh of Nix, in the environment and in that of nix-daemon', async () => {
    using rig = await configured();
    const path = `${fakeSsh(rig)}:${process.env['PATH'] ?? ''}`;
    const unit = join(rig.tree, 'etc/systemd/system/nix-daemon.service');
    mkdirSync(dirname(unit), { recursive: true });
    writeFileSync(unit, '[Service]\nEnvironment="NIX_SSHOPTS=-v -p 2222"\n');
    const server = await listening('SSH-2.0-none\r\n');
    try {
      const { port } = server.address() as { port: number };
      await rig.run('--port', String(port));
      living(rig, { phase: 'ready', vmPid: 1, clockOffsetMs: 0, door: { port, draining: false } });
      const findings = await rig.doctor({ PATH: path, NIX_SSHOPTS: '-p 2222' });
      expect(wordsOf(findings, 'ssh as you')).toContain('NIX_SSHOPTS=-p 2222 ');
      expect(codesIn(findings)).toMatchObject({ 'ssh as you': 'nix-sshopts' });
      if (asRoot)
        expect(wordsOf(findings, 'ssh as root')).toContain(`NIX_SSHOPTS=-v -p 2222 in ${unit}`);
    } finally {
      server.close();
    }
  });

  // Behaviour 192: `doctor` finds anything that prints text before the answer of the guest's Nix, quotes that text, and
  // names what could have printed it, such as a script in place of ssh, or a shell that ssh runs on this machine.
  test.each([
    ['a script in the place of ssh', 'echo Hello; ', '', 'printed-by-ssh', '/ssh'],
    ['the shell of Nix’s own word', '', 'Hello', 'printed-by-shell', '/bin/loud'],
  ])('what prints before the answer: %s', async (_, before, byShell, code, program) => {
    using rig = await configured();
    const path = `${fakeSsh(rig, { before, byShell })}:${process.env['PATH'] ?? ''}`;
    const server = await listening('SSH-2.0-none\r\n');
    try {
      const { port } = server.address() as { port: number };
      await rig.run('--port', String(port));
      living(rig, { phase: 'ready', vmPid: 1, clockOffsetMs: 0, door: { port, draining: false } });
      const findings = await rig.doctor({ PATH: path, SHELL: '/bin/loud' });
      expect(codesIn(findings)).toMatchObject({ 'ssh as you': code });
      expect(wordsOf(findings, 'ssh as you')).toContain('"Hello"');
      expect(wordsOf(findings, 'ssh as you')).toContain(program);
    } finally {
      server.close();
    }
  });

  // Behaviour 76: ssh reaches the socket whatever the user's login shell is, as long as that shell runs the commands
  // that it is given. If it does not, `doctor` says so.
  test('a door that is a socket, and a shell by which ssh runs nothing', async () => {
    using rig = await configured('--door', 'unix');
    const socket = rig.root.doorSocket;
    const server = createServer((peer) => peer.end('SSH-2.0-none\r\nnonsense\r\n'));
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    try {
      living(rig, {
        phase: 'ready',
        vmPid: 1,
        clockOffsetMs: 0,
        door: { socket, draining: false },
      });
      const findings = await rig.doctor({ SHELL: '/bin/false' });
      expect(wordsOf(findings, 'door')).toContain(`${socket} leads to SSH-2.0-none`);
      expect(codesIn(findings)).toMatchObject({ 'ssh as you': 'shell-unusable' });
      expect(wordsOf(findings, 'ssh as you')).toContain('SHELL=/bin/false ');
      const others = await rig.doctor({ SHELL: '/bin/sh' });
      expect(wordsOf(others, 'ssh as you')).not.toContain('SHELL');
    } finally {
      server.close();
    }
  });

  test('an ssh that does not get through, with the very command of nix-daemon', async () => {
    using rig = await configured();
    const server = await listening('SSH-2.0-none\r\nnonsense\r\n');
    try {
      const { port } = server.address() as { port: number };
      await rig.run('--port', String(port));
      living(rig, { phase: 'ready', vmPid: 1, clockOffsetMs: 0, door: { port, draining: false } });
      const findings = await rig.doctor();
      expect(verdicts(findings)).toMatchObject({
        door: 'good',
        'ssh as root': 'bad',
        build: 'skipped',
      });
      expect(wordsOf(findings, 'ssh as root')).toMatch(
        /builder@nix-linuxkit -x -T '-oUserKnownHostsFile="[^'"]+linuxkit-builder\/known_hosts"' .* -- nix-daemon --stdio/,
      );
    } finally {
      server.close();
    }
  });
});

test("a line above ours in root's configuration of ssh is no fault", needs('root'), async () => {
  using rig = await configured();
  const path = join(rig.systemPaths.rootHome, '.ssh/config');
  const verdicts = async (text: string) => {
    writeFileSync(path, text);
    const found = await rig.doctor();
    return ['your files', "root's files"].map(
      (name) => found.find((each) => each.name === name)?.kind,
    );
  };
  const ours = readFileSync(path, 'utf8');
  expect(await verdicts(`# mine\n\nHost other\n  Port 2\nHost *\n${ours}`)).toEqual([
    'good',
    'good',
  ]);
  expect(await verdicts(`Host *\n  Port 99\n${ours}`)).toContain('bad');
});

describe('an ssh that does not get through, since others have configured it', needs('root'), () => {
  const asked = async (env: NodeJS.ProcessEnv, change: (rig: Rig) => void) => {
    using rig = await configured();
    const server = await listening('SSH-2.0-none\r\nnonsense\r\n');
    try {
      const { port } = server.address() as { port: number };
      await rig.run('--port', String(port));
      living(rig, { phase: 'ready', vmPid: 1, clockOffsetMs: 0, door: { port, draining: false } });
      change(rig);
      return wordsOf(await rig.doctor(env), 'ssh as root');
    } finally {
      server.close();
    }
  };
  const append = (text: string) => (rig: Rig) =>
    appendFileSync(join(rig.systemPaths.rootHome, '.ssh/config'), text);
  const prepend = (text: string) => (rig: Rig) => {
    const path = join(rig.systemPaths.rootHome, '.ssh/config');
    writeFileSync(path, `${text}${readFileSync(path, 'utf8')}`);
  };

  test('by an option that this ssh does not know: named, with file and line', async () => {
    // Above our block: below it such a word is passed over.
    const words = await asked({}, prepend('Host *\n  UseKeychainOfMacOS yes\n'));
    expect(words).toMatch(/\.ssh\/config.*line \d+.*usekeychainofmacos/is);
    expect(words).toContain('IgnoreUnknown');
  });

  test('by an option that reaches our host: named, with file and line', async () => {
    const words = await asked({}, append('Host *\n  GatewayPorts yes\n'));
    expect(words).toMatch(/gatewayports yes \(.*\.ssh\/config, line \d+\)/);
    expect(words).toContain(exceptGuest);
  });

  test('by a command that it waits for: named, with file and line, and run once', async () => {
    let runs = '';
    const words = await asked({}, (rig) => {
      runs = join(rig.tree, '..', `runs-${process.pid}`);
      append(`Match exec "echo >>${runs}; exec sleep 1000"\n  Port 9\n`)(rig);
    });
    expect(words).toMatch(/\.ssh\/config, line \d+/);
    expect(words).toContain(notGuest);
    expect(readFileSync(runs, 'utf8')).toBe('\n');
    rmSync(runs);
  });
});

test('on the real machine ssh is left to find its own configuration', () => {
  const systemPaths = withRoots({ home: '/home/a', rootHome: '/root', etcNix: '/etc/nix' });
  expect(sshArgv({ tree: '', systemPaths }, 'root', { known: '/k', more: [] }).slice(0, 3)).toEqual(
    ['builder@nix-linuxkit', '-x', '-T'],
  );
});

/**
 * A folder with what takes the place of ssh and of the guest: without /dev/kvm, with a nix daemon, and only on our own port. It runs that
 * before it answers, and its local shell prints that beside its word.
 */
function fakeSsh(rig: Rig, { before = '', byShell = '' } = {}): string {
  const folder = join(rig.tree, 'bin');
  mkdirSync(folder);
  writeFileSync(
    join(folder, 'ssh'),
    `#!/bin/sh
case "$*" in
    -V) echo OpenSSH_10.0p2 >&2 ;;
    *'-p 2222'*) echo 'connect to host 127.0.0.1 port 2222: Connection refused' >&2; exit 255 ;;
    *'test -c /dev/kvm') exit 1 ;;
    *'nix-daemon --stdio')
        case "$*" in *LocalCommand*) ${byShell === '' ? '' : `echo ${byShell};`} echo started ;; esac
        ${before}printf 'oixd\\0\\0\\0\\0\\12\\1\\0\\0\\0\\0\\0\\0stla\\0\\0\\0\\0stla\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0'; exec sleep 60 ;;
    *) exit 255 ;;
esac
`,
  );
  chmodSync(join(folder, 'ssh'), 0o755);
  return folder;
}

function listening(banner: string): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.end(banner);
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}
