/** `up`: what it asks for, what it installs, and the steps that it takes. */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import type { CliContext } from '../../src/command/context.ts';
import { findOrInstall } from '../../src/cli/up/up-programs.ts';
import { bringUp } from '../../src/cli/up/up.ts';
import { checkConfig } from '../../src/config/config.ts';
import { layoutOf } from '../../src/config/layout.ts';
import { nativeSystem } from '../../src/domain/guest-system.ts';
import { systemPathsOf } from '../../src/host/system-paths.ts';
import { plainly } from '../../src/system/advice.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { failureOf } from '../../src/system/failure.ts';
import { managerHere, tryProgram } from '../../src/system/process/find-program.ts';
import { qemuProgram } from '../../src/vm/qemu/qemu-argv.ts';
import { needs, type Need } from '../needs.ts';
import { saying } from '../fakes/saying.ts';
import { removeTree } from '../remove-tree.ts';

const qemu = qemuProgram({ system: nativeSystem(process.arch) });
const programs = [qemu, 'mksquashfs', 'ssh', 'ssh-keygen', 'flock', 'ps'];
const packages = `${process.arch === 'arm64' ? 'qemu-system-arm' : 'qemu-system-x86'} squashfs-tools openssh-client nix-bin nix-setup-systemd util-linux procps`;

/** What a user who is not root has to say first. */
const sudo = process.getuid?.() === 0 ? '' : 'sudo ';

/** A machine of its own, which has these programs and nothing else. */
function machine(...installed: readonly string[]) {
  const tree = mkdtempSync(join(tmpdir(), 'up Jörg-'));
  const bin = join(tree, 'bin');
  mkdirSync(bin);
  const put = (name: string, script: string) =>
    writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  const builtFile = join(tree, 'built');
  writeFileSync(builtFile, 'Linux version 6.12 built this\n');
  const nixBuild = `printf '%s\\n' "$*" >'${tree}/nix-build'\necho '${builtFile}'`;
  for (const name of installed) put(name, name === 'nix-build' ? nixBuild : 'exit 0');
  symlinkSync('/usr/bin/env', join(bin, 'env'));
  put('sudo', 'exec "$@"');
  const out: string[] = [];
  const performed: string[] = [];
  const layout = layoutOf(join(tree, 'state'));
  const context: CliContext = {
    env: { PATH: bin, LINUXKIT_BUILDER_TREE: tree },
    home: tree,
    assets: tree,
    out: (line) => out.push(plainly(line)),
    err: (line) => out.push(plainly(line)),
    isTTY: false,
    signal: new AbortController().signal,
    clock: systemClock,
    onStopSignal: () => undefined,
    exit: () => undefined,
  };
  mkdirSync(join(tree, 'nix/var/nix'), { recursive: true });
  put('sudo', 'exec "$@"');
  return {
    tree,
    bin,
    out,
    performed,
    layout,
    context,
    put,
    /** Debian's, which installs what the script says. */
    withApt: (script: string) =>
      put('apt-get', `printf '%s\\n' "$DEBIAN_FRONTEND: $*" >>'${tree}/apt'\n${script}`),
    apt: () => readFileSync(join(tree, 'apt'), 'utf8'),
    up: (install = false, codes: Readonly<Record<string, number>> = {}) =>
      bringUp(layout, context, {
        install,
        perform: (words) => {
          performed.push(words.join(' '));
          return Promise.resolve(codes[words.join(' ')] ?? 0);
        },
      }).then(
        (code) => ({ code, failure: undefined }),
        (error: unknown) => ({ code: undefined, failure: failureOf(error) }),
      ),
    [Symbol.dispose]: () => removeTree(tree),
  };
}

const everything = [...programs, 'nix-build'];
const steps = ['image build', 'configure', 'start', 'wait'];

// Behaviour 205: `up` does everything that is needed to get from nothing to a first build in the guest, and does
// nothing twice. If programs are missing, `up` names them and the command that installs them; `up --install` installs
// them.
test('goes all the way, and shows what was built', async () => {
  using here = machine(...everything);
  expect(await here.up()).toEqual({ code: 0, failure: undefined });
  expect(here.performed).toEqual(steps);
  expect(here.out.slice(-2)).toEqual([
    `==> built: ${here.tree}/built`,
    'Linux version 6.12 built this',
  ]);
  expect(readFileSync(join(here.tree, 'nix-build'), 'utf8')).toBe(
    `--no-out-link ${here.layout.example}\n`,
  );
});

test.each(steps)('ends where `%s` does not succeed, with its exit code', async (step) => {
  using here = machine(...everything);
  expect(await here.up(false, { [step]: 66 })).toEqual({ code: 66, failure: undefined });
  expect(here.performed.at(-1)).toBe(step);
  expect(existsSync(join(here.tree, 'nix-build'))).toBe(false);
});

test('makes no image where the settings name one', async () => {
  using here = machine(...everything);
  mkdirSync(here.layout.root);
  writeFileSync(here.layout.config, '{"bundle":"/somewhere/linux"}');
  expect((await here.up()).code).toBe(0);
  expect(here.performed).toEqual(steps.slice(1));
});

// Behaviour 206: If this machine's builder belongs to another user, commands say that you can already use it, and do
// not tell you to set one up. `up` refuses before it makes anything.
test('refuses before it makes anything where another user has a builder', async () => {
  using here = machine(...everything);
  const { installed } = systemPathsOf(here.tree).roots;
  mkdirSync(dirname(installed), { recursive: true });
  const owner = { name: 'ann', uid: 12345, directory: '/builder' };
  writeFileSync(installed, JSON.stringify({ version: 2, owner }));
  expect((await here.up()).failure).toMatchObject({ kind: 'second-user', exit: 77 });
  expect(here.performed).toEqual([]);
});

test('says so where Nix does not build', async () => {
  using here = machine(...programs);
  here.put('nix-build', 'exit 1');
  expect((await here.up()).failure).toMatchObject({ kind: 'example-not-built', exit: 69 });
});

/** What is in one of the places that are always looked at cannot be missing. */
const nothingThere: Need = {
  what: 'a machine with none of the programs in the usual places beyond PATH',
  isMet: everything.every((name) => tryProgram(name, '') === undefined),
};

// Behaviour 56: `configure` does not recommend a program that could not run this builder because of the program's
// version or the state directory's path. `up` does not count such a program among those that can run the guest.
test.each([
  ['0.5.1', true],
  ['0.6.4', false],
])('counts a vfkit %s as a program that runs the guest only if it does', async (version, lacks) => {
  using here = machine(...everything, 'gvproxy');
  rmSync(join(here.bin, qemu));
  here.put('vfkit', `echo 'vfkit version: v${version}'`);
  const host = { host: 'darwin-arm64', macos: '15.2' } as const;
  const apple = { arch: 'arm64', platform: 'darwin', cpus: 8, memoryMiB: 16_384 } as const;
  const parsed = checkConfig({}, { ...apple, diskGiB: 200, diskFreeGiB: 90 });
  if (!parsed.ok) throw new Error('no config');
  const wanted = { config: parsed.config, layout: layoutOf('/s'), path: here.bin, host };
  const found = await findOrInstall(wanted, here.context, false).catch(failureOf);
  expect(found?.kind).toBe(lacks ? 'programs-missing' : undefined);
  expect(found?.message ?? '').toMatch(lacks ? /: qemu-system-aarch64\.$/ : /^$/);
  expect(found?.lines?.at(-1)).toEqual(
    lacks ? expect.stringMatching(/^vfkit is too old/) : undefined,
  );
});

const neitherSudoNorDoas: Need = {
  what: 'neither sudo nor doas where a login shell would find them',
  isMet: ['sudo', 'doas'].every((name) => tryProgram(name, '') === undefined),
};

describe('where programs are missing', needs('Linux', nothingThere), () => {
  test('names them all with one command, and begins nothing', async () => {
    using here = machine();
    here.withApt('exit 9');
    const { failure } = await here.up();
    expect(failure).toMatchObject({ kind: 'programs-missing', exit: 69 });
    expect(failure?.lines).toEqual([`${sudo}apt-get install ${packages}`]);
    expect(plainly(failure?.hint ?? '')).toContain('linuxkit-builder up --install');
    expect(here.performed).toEqual([]);
    expect(existsSync(join(here.tree, 'apt'))).toBe(false);
  });

  test(
    'asks for an administrator where nobody here becomes root',
    needs(neitherSudoNorDoas),
    async () => {
      using here = machine();
      here.withApt('exit 0');
      rmSync(join(here.bin, 'sudo'));
      const getuid = vi.spyOn(process, 'getuid').mockReturnValue(1000);
      try {
        const { failure } = await here.up(true);
        expect(failure).toMatchObject({ kind: 'programs-missing', exit: 69 });
        expect(failure?.lines).toEqual([`apt-get install ${packages}`]);
        expect(plainly(failure?.hint ?? '')).toContain('administrator');
        expect(existsSync(join(here.tree, 'apt'))).toBe(false);
      } finally {
        getuid.mockRestore();
      }
    },
  );

  test.each([
    ['dnf', `${sudo}dnf install qemu-kvm squashfs-tools openssh-clients nix util-linux procps-ng`],
    [
      'pacman',
      `${sudo}pacman -S ${process.arch === 'arm64' ? qemu : 'qemu-system-x86'} squashfs-tools openssh nix util-linux procps-ng`,
    ],
    [
      'apk',
      `${sudo}apk add ${qemu} squashfs-tools openssh-client openssh-keygen nix util-linux procps-ng`,
    ],
    ['nix-env', "nix-env -f '<nixpkgs>' -iA qemu squashfsTools openssh util-linux procps"],
  ])('names what %s calls them', async (manager, command) => {
    using here = machine();
    here.put(manager, 'exit 9');
    expect((await here.up()).failure?.lines?.[0]).toBe(command);
    // A shell takes it as it is.
    const said = spawnSync('/bin/sh', ['-nc', command], { encoding: 'utf8' });
    expect(said).toMatchObject({ status: 0, stderr: '' });
  });

  test('takes Homebrew on a Mac, and Nix without it', () => {
    using here = machine();
    const onMac = () => managerHere(here.bin, 'darwin');
    here.put('apt-get', 'exit 9');
    expect(onMac()).toBeUndefined();
    here.put('nix-env', 'exit 9');
    expect(onMac()).toBe('nix-env');
    here.put('brew', 'exit 9');
    expect(onMac()).toBe('brew');
    expect(managerHere(here.bin, 'linux')).toBe('apt-get');
  });

  test('installs by Nix where nothing else does', async () => {
    using here = machine(...everything.filter((name) => name !== 'mksquashfs'));
    const made = join(here.bin, 'mksquashfs');
    here.put('nix-env', `printf '%s|' "$@" >'${here.tree}/told'; cp '${here.bin}/ssh' '${made}'`);
    expect(await here.up(true)).toEqual({ code: 0, failure: undefined });
    expect(readFileSync(join(here.tree, 'told'), 'utf8')).toBe('-f|<nixpkgs>|-iA|squashfsTools|');
    expect(here.out[0]).toBe("==> nix-env -f '<nixpkgs>' -iA squashfsTools");
  });

  test('installs them when asked, although the lists cannot be renewed', async () => {
    using here = machine('ssh', 'ssh-keygen', 'flock', 'ps');
    const rest = [qemu, 'mksquashfs', 'nix-build'];
    const make = rest.map(
      (name) => `printf '#!/bin/sh\\necho ${here.tree}/built\\n' >"${here.bin}/${name}"`,
    );
    const chmod = rest.map((name) => `/bin/chmod +x "${here.bin}/${name}"`);
    here.withApt(['[ "$1" != update ] || exit 100', ...make, ...chmod].join('\n'));
    expect(await here.up(true)).toEqual({ code: 0, failure: undefined });
    const wanted = packages.replace('openssh-client ', '').replace(' util-linux procps', '');
    expect(here.apt()).toBe(
      `noninteractive: update -q\nnoninteractive: install -y -q --no-install-recommends ${wanted}\n`,
    );
    expect(here.performed).toEqual(steps);
  });

  test('says so where that does not succeed, or brings too little', async () => {
    using here = machine(...programs);
    here.withApt('exit 100');
    expect((await here.up(true)).failure).toMatchObject({ kind: 'programs-not-installed' });
    here.withApt('exit 0');
    const { failure } = await here.up(true);
    expect(failure).toMatchObject({ kind: 'programs-missing' });
    expect(failure?.message).toContain(': nix-build.');
    expect(here.performed).toEqual([]);
  });

  test('tells how each is had where nothing installs packages', async () => {
    using here = machine(...everything.filter((name) => name !== 'mksquashfs'));
    const { failure } = await here.up(true);
    expect(failure?.message).toContain('mksquashfs');
    expect(failure?.lines).toEqual([saying('squashfs-tools')]);
  });
});
