import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Command, fact } from './command.ts';
import { debugsFailed, keptIn } from './debugs-failed.ts';
import { builtText, nixBuild } from './nix-client.ts';
import { i686Program } from '../../src/guest/login/i686.ts';
import { findProgram } from '../../src/system/process/find-program.ts';
import { qemuAbilities } from '../../src/vm/qemu/qemu-abilities.ts';
import { BuilderRig } from './rig.ts';

// Behaviour 65: Connections to the guest are opened one after the other, so that none is lost on a network that
// cannot take several at once.
// Behaviour 240: Nix's login reaches the guest's nix-daemon without starting a Nix program in the guest. nix-daemon
// trusts the connection as much as it trusts the user who logged in.
// Behaviour 128: The daemon asks the guest's kernel whether freed memory and disk space return to the host. If memory
// does not return, `status` and `doctor` say what will free it.
// Behaviour 129: If the guest is away, `gc` and `trim` bring it back, and say so. `gc` waits until no clients are in
// the guest, and what it frees returns to the host.
// Behaviour 241: `debug` opens a shell in a failed build the way Nix ran it: in its directory, as its user, and with
// its environment, network and view of the store. Nothing that the shell builds enters the store.
// Behaviour 244: A build directory that `debug` keeps is opened again without another build, and `status` counts it.
// It is deleted by `gc`, or once nobody has opened it for 7 days.
// Behaviour 243: `debug` works whatever characters the names of the state directory and of the directory for
// temporary files contain.
// Behaviour 140: If `extraSystems` names `i686-linux`, `configure` offers that system to Nix, unless a program for it
// was tried in the guest and failed. If the guest later cannot run such programs, `status`, `doctor` and `explain` say
// so.
test('the services of a guest: many clients, deaths, priorities, the sandbox, the clock, the button', async (context) => {
  await using rig = await BuilderRig.create({ context });
  await rig.up();

  // OpenSSH 10 locks an address out after some 20 connections without a login, and all of ours have one address; QEMU's
  // network loses most of a crowd that comes at once, the more so when another has just left.
  for (let round = 0; round < 4; round++)
    expect(await Promise.all(Array.from({ length: 25 }, () => banner(rig.port)))).toEqual(
      Array.from({ length: 25 }, () => 'SSH-2.0-'),
    );
  expect((await rig.cli('ssh', '--', 'id -un')).stdout).toBe('builder\n');

  const priorities = await inGuest(rig, prioritiesScript);
  expect(priorities.stdout.trim().split('\n').sort()).toEqual([
    'nix-daemon 0 10',
    'qemu-ga -1000 0',
    'sshd -1000 0',
  ]);

  const login = await rig.cli('ssh', '--', loginScript);
  expect(login.stdout, login.said).toMatch(
    /^begun by \/usr\/bin\/socat\d*\nended with 0\n.*"trusted":(1|true)\W/,
  );

  // It has a mount namespace of its own from its start on, and it may start before the disk is mounted.
  expect((await inGuest(rig, mountedLaterScript)).stdout).toBe('seen\n');

  await inGuest(rig, 'kill -9 $(pidof nix-daemon) $(pidof acpid)');
  await fact('both were started again', () =>
    ['nix', 'power'].every((name) => rig.console().includes(`note=restarted-${name} `)),
  );
  const built = join(rig.dir, 'sandbox.nix');
  writeFileSync(built, sandboxed);
  const build = nixBuild(rig, built);
  expect(await build.ended, build.said).toBe(0);
  expect(build.stderr).toContain('root of the build: /bin /build /dev /etc /nix /proc /tmp');
  expect(build.stderr).toContain('cp: not found; pid 1: no; score 0');
  // The one part of x86-64-v2 that an emulated processor may lack.
  if (process.arch === 'x64') {
    const isWhole = rig.status()?.accelerator !== 'tcg' || (await qemuMajor()) >= 10;
    expect(build.stderr.includes('it has cmpxchg16b')).toBe(isWhole);
  }

  await debugsFailed(rig);
  await givesBack(rig, build.stdout.trim());
  expect((await keptIn(rig))?.directories).toBe(0);
  if (process.arch === 'x64') await buildsForI686(rig);

  await inGuest(rig, 'date -s @86400');
  await fact('the clock was set', () =>
    rig.log('clock-set').some(({ wasOffMs }) => Number(wasOffMs) < -1e9),
  );
  const before = Date.now() / 1000;
  const { stdout } = await inGuest(rig, 'date +%s; hwclock -r >/dev/null && echo readable');
  // Whole seconds: up to one is cut off.
  expect(Number.parseInt(stdout, 10)).toBeGreaterThan(before - 3);
  expect(Number.parseInt(stdout, 10)).toBeLessThan(Date.now() / 1000 + 2);
  expect(stdout).toContain('readable');

  // Without the agent the power button is what is left.
  await inGuest(rig, 'kill -STOP $(pidof qemu-ga)');
  expect((await rig.cli('stop')).stdout).toBe('Stopped.\n');
  expect(rig.console()).toContain('linuxkit-builder: stage=stopped');
  await rig.leavesNothing();
});

/** Memory and disk that the guest has freed are the host's again while it runs, and `gc` deletes what nothing keeps. */
async function givesBack(rig: BuilderRig, built: string): Promise<void> {
  const seen = JSON.parse((await rig.cli('status', '--json')).stdout) as {
    readonly guest?: { readonly givesBack?: object };
    readonly memory?: { readonly residentBytes: number };
  };
  const isQemu = rig.status()?.builder?.vm === 'qemu';
  const memory = isQemu && process.platform === 'linux';
  expect(seen.guest?.givesBack).toEqual({ memory, disk: true });
  const MiB = 1024 ** 2;
  const resident = () => residentMiB(rig.status()?.vmPid ?? 0);
  const taken = () => (statSync(rig.layout.disk).blocks * 512) / MiB;
  const [memoryBefore, diskBefore] = [resident(), taken()];
  expect((seen.memory?.residentBytes ?? 0) / MiB).toBeGreaterThan(memoryBefore / 2);
  // What is zeros is no hole on the disk, nor a page that is not there.
  const script =
    'for path in /dev/shm /nix; do dd if=/dev/zero of=$path/much bs=1M count=200; done';
  expect((await inGuest(rig, `${script} && sync`)).end).toBe(0);
  expect(taken()).toBeGreaterThan(diskBefore + 190);
  if (memory) expect(resident()).toBeGreaterThan(memoryBefore + 190);
  const grown = resident();
  await inGuest(rig, 'rm /dev/shm/much /nix/much && sync');
  await fact('the host has the disk again', () => taken() < diskBefore + 20);
  if (memory) await fact('the host has the memory again', () => resident() < grown - 150);
  expect((await rig.cli('trim')).stdout).toMatch(/^The guest's disk uses /);

  expect(await validPaths(rig)).toContain(built);
  const collected = await rig.cli('gc');
  expect([collected.end, collected.stdout]).toEqual([
    0,
    expect.stringMatching(/^The guest's store/),
  ]);
  expect(await validPaths(rig)).toEqual([]);
  expect((await inGuest(rig, 'ls /nix/var/nix/gcroots')).stdout).not.toContain('recent');
}

/** What that process takes of memory (proc(5)). */
function residentMiB(pid: number): number {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(text)?.[1]) / 1024;
}

// Behaviour 100: If a VM is killed within a second of a build's success, nothing that Nix calls valid is lost.
test.for([
  ['at once', false],
  ["after Nix's database was closed", true],
] as const)('what was built is whole when the VM is killed %s', async ([, isWritten], context) => {
  await using rig = await BuilderRig.create({ context });
  await rig.up();
  const { vmPid = 0 } = await rig.reaches('ready');
  const file = join(rig.dir, 'several.nix');
  writeFileSync(file, several());
  const build = nixBuild(rig, file);
  expect(await build.ended, build.said).toBe(0);
  const success = performance.now();
  const outputs = build.stdout.trim().split('\n').sort();
  // Whoever is the last to close Nix's database has it written to the disk; before that a kill takes path and row, rightly.
  if (isWritten) expect(await validPaths(rig)).toEqual(outputs);
  process.kill(vmPid, 'SIGKILL');
  if (!isWritten) expect(performance.now() - success).toBeLessThan(1_000);
  await rig.untilStatus('another VM', (status) => (status.vmPid ?? vmPid) !== vmPid);
  await rig.reaches('ready');
  expect(rig.console()).toContain('linuxkit-builder: note=disk-check ');

  const valid = await validPaths(rig);
  expect(outputs).toEqual(isWritten ? valid : expect.arrayContaining(valid));
  const verified = await inGuest(rig, 'nix-store --verify --check-contents');
  expect(verified.end, verified.said).toBe(0);
  expect(verified.said).not.toContain('modified');
  const sizes = await inGuest(rig, `for each in ${valid.join(' ')}; do stat -c %s $each; done`);
  expect(sizes.stdout).toBe('1048577\n'.repeat(valid.length));
  expect((await inGuest(rig, 'ls /nix/var/nix/builds')).stdout).toBe('');

  // A client that has none of it gets all of it.
  renameSync(join(rig.dir, 'nix'), join(rig.dir, 'nix-before'));
  const again = nixBuild(rig, file);
  expect(await again.ended, again.said).toBe(0);
  expect(again.stdout).toBe(build.stdout);
});

// A host without network must not stall a build.
test('a substituter that refuses or is silent holds a build up for seconds only', async (context) => {
  await using rig = await BuilderRig.create({ context });
  await rig.up();
  const { stdout } = await inGuest(rig, 'nix show-config 2>/dev/null || nix config show');
  expect(stdout.split('\n')).toEqual(
    expect.arrayContaining(['connect-timeout = 5', 'download-attempts = 2', 'fallback = true']),
  );
  const file = '/tmp/one.nix';
  // What is for nobody on the loopback is dropped without a word.
  await inGuest(rig, `ip route add 192.0.2.1 dev lo; cat >${file} <<'end'\n${several(1)}end`);
  for (const substituter of ['http://127.0.0.1:9', 'http://192.0.2.1']) {
    const begun = performance.now();
    const words = ['--no-out-link', '--option', 'substituters', substituter];
    const build = await inGuest(rig, ['nix-build', ...words, file].join(' '));
    expect(build.end, build.said).toBe(0);
    expect(build.stderr).toContain(`disabling binary cache '${substituter}'`);
    expect(performance.now() - begun).toBeLessThan(60_000);
    await inGuest(rig, `nix-store --delete ${build.stdout}`);
  }
});

/** A program of 32 bits is run in the guest, then offered, then a derivation of that system is built by one; then the proof is lost. */
async function buildsForI686(rig: BuilderRig): Promise<void> {
  const configure = (...argv: string[]) => rig.cli('configure', '--no-root', ...argv);
  const offered = await configure('--extra-systems', 'i686-linux');
  expect(offered.end, offered.said).toBe(0);
  expect(offered.said).not.toContain('is not known');
  expect(readFileSync(rig.layout.machines, 'utf8')).toContain(' x86_64-linux,i686-linux ');
  const folder = join(rig.dir, 'i686');
  mkdirSync(folder);
  writeFileSync(join(folder, 'program'), i686Program(), { mode: 0o755 });
  writeFileSync(join(folder, 'default.nix'), forI686);
  const build = nixBuild(rig, folder);
  expect(await build.ended, build.said).toBe(0);
  expect(builtText(rig, build)).toBe('i686\n');

  // As with a kernel that takes none: it is a file that cannot be run.
  await inGuest(rig, 'mount -t tmpfs -o noexec,mode=1777 files /tmp');
  await configure('--reset', 'extra-systems');
  await rig.untilStatus(
    'it is offered no more',
    ({ builder }) => builder?.extraSystems === undefined,
  );
  const refused = await configure('--extra-systems', 'i686-linux');
  expect(refused.end, refused.said).toBe(64);
  expect(refused.said).toContain('does not work: the guest could not run a program of that system');
  const text = readFileSync(rig.layout.config, 'utf8');
  writeFileSync(rig.layout.config, text.replace('{', '{"extraSystems": ["i686-linux"],'));
  await rig.untilStatus('it is lost', ({ lostSystems }) => lostSystems?.[0] === 'i686-linux');
  expect((await rig.cli('status')).stdout).toContain('The guest cannot run i686-linux programs');
  writeFileSync(rig.layout.config, text);
  await rig.untilStatus('all is well', ({ lostSystems }) => lostSystems === undefined);
  await inGuest(rig, 'umount /tmp');
}

const forI686 = `derivation {
  name = "i686-${String(Date.now())}";
  system = "i686-linux";
  builder = ./program;
  args = [ (placeholder "out") ];
}
`;

/** What Nix in the guest calls valid. */
const validPaths = async (rig: BuilderRig): Promise<string[]> =>
  (await inGuest(rig, 'nix path-info --all')).stdout.split('\n').filter(Boolean).sort();

/** A script run by root in the guest. */
const inGuest = (rig: BuilderRig, script: string): Promise<Command> =>
  rig.cli('ssh', '--root', '--', script);

/** What a server says first, of a connection that then goes away. */
async function banner(port: number): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1' });
  const [first] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return first.toString('latin1', 0, 8);
}

/** Name, oom_score_adj and niceness (proc(5), stat: field 19) of the oldest process of each service. */
const prioritiesScript = `for name in sshd nix-daemon qemu-ga; do
  for pid in $(pidof $name); do oldest=$pid; done
  read -r score </proc/$oldest/oom_score_adj
  set -- $(cat /proc/$oldest/stat)
  echo "$name $score \${19}"
done`;

/** What runs for a login of Nix's, how it ends, and what the daemon says of whoever comes that way. */
const loginScript = `cd /tmp && mkfifo held
nix-daemon --stdio <held >/dev/null &
exec 3>held
for try in $(seq 100); do
  program=$(readlink /proc/$!/exe)
  case $program in */socat* | */nix) break ;; esac
  usleep 50000
done
echo "begun by $program"
exec 3>&-
wait $!
echo "ended with $?"
nix store info --json --store unix:///nix/var/nix/daemon-socket/socket
rm held`;

/** Whether nix-daemon sees what is mounted below /nix after it has started. */
const mountedLaterScript = `mkdir /nix/var/later
mount -t tmpfs later /nix/var/later
for pid in $(pidof nix-daemon); do oldest=$pid; done
grep -q ' /nix/var/later ' /proc/$oldest/mountinfo && echo seen
umount /nix/var/later
rmdir /nix/var/later`;

async function qemuMajor(): Promise<number> {
  const program = findProgram('qemu-system-x86_64');
  return (await qemuAbilities(program, new AbortController().signal)).major ?? 0;
}

/** Its /bin/sh knows no command but its builtins, and its processes are its own. */
const sandboxed = String.raw`derivation {
  name = "sandboxed-${String(Date.now())}";
  system = builtins.currentSystem;
  builder = "/bin/sh";
  args = [ "-c" ''
    echo root of the build: /*
    cp 2>/dev/null || tool="cp: not found"
    read -r one </proc/1/comm; [ "$one" = init ] && pid=yes || pid=no
    read -r score </proc/self/oom_score_adj
    echo "$tool; pid 1: $pid; score $score"
    while read -r line; do
      case $line in flags*" cx16 "*) echo it has cmpxchg16b ;; esac
    done </proc/cpuinfo
    echo > $out
  '' ];
}
`;

/** Files of 1 MiB and a byte, made without any program. */
const several = (count = 3) => `builtins.genList (n: derivation {
  name = "several-${String(Date.now())}-\${toString n}";
  system = builtins.currentSystem;
  builder = "/bin/sh";
  args = [ "-c" ''
    text=0123456789abcdef
    for double in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do text=$text$text; done
    printf "%s\${toString n}" $text > $out
  '' ];
}) ${count}
`;
