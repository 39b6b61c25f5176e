import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { layoutOf } from '../../src/config/layout.ts';
import { tryKernelLock } from '../../src/system/lock/lock.ts';
import { findProgram } from '../../src/system/process/find-program.ts';
import { buildProgram, type BuiltProgram } from '../fakes/program.ts';
import { snapshot } from './configure-rig.ts';
import { needs } from '../needs.ts';
import { runsAsRoot } from '../../src/setup/root/run-script.ts';
import { secondDirectory } from '../../src/host/other-builder.ts';
import { removeTree } from '../remove-tree.ts';

// As root the program runs as nobody; otherwise as whoever we are.
const asRoot = process.getuid?.() === 0;
const [uid, gid, home] = asRoot
  ? [65534, 65534, '/nonexistent']
  : [userInfo().uid, userInfo().gid, userInfo().homedir];

let program: BuiltProgram;
beforeAll(async () => {
  program = await buildProgram();
});
afterAll(() => program[Symbol.dispose]());

/** A tree that stands for /, all of it the user's, with a sudo that does what that script says. */
function userRig(sudo: string, path = `:${process.env['PATH'] ?? ''}`) {
  const tree = mkdtempSync(join(tmpdir(), 'Jörgs Rechner-'));
  const ssh = join(tree, home, '.ssh/config');
  for (const path of [dirname(ssh), join(tree, 'root'), join(tree, 'etc/nix'), join(tree, 'bin')])
    mkdirSync(path, { recursive: true });
  writeFileSync(ssh, 'Host *\n  Port 1\n');
  chmodSync(ssh, 0o600);
  writeFileSync(join(tree, 'bin/sudo'), `#!/bin/sh\n${sudo}\n`, { mode: 0o755 });
  if (asRoot) chownAll(tree);
  const env = { PATH: `${join(tree, 'bin')}${path}` };
  const directory = join(tree, home, '.cache/nix-linuxkit-builder');
  return {
    tree,
    ssh,
    directory,
    machines: join(tree, 'etc/nix/machines'),
    run: (command: string, ...argv: string[]) =>
      spawnSync(process.execPath, [program.main, command, '-d', directory, ...argv], {
        encoding: 'utf8',
        env: { ...env, HOME: join(tree, home), LINUXKIT_BUILDER_TREE: tree },
        ...(asRoot ? { uid, gid } : {}),
      }),
    begin: (command: string, ...argv: string[]) =>
      spawn(process.execPath, [program.main, command, '-d', directory, ...argv], {
        stdio: ['ignore', 'ignore', 'pipe'],
        env: { ...env, HOME: join(tree, home), LINUXKIT_BUILDER_TREE: tree },
        ...(asRoot ? { uid, gid } : {}),
      }),
    [Symbol.dispose]: () => removeTree(tree),
  };
}

function chownAll(tree: string): void {
  for (const name of ['.', ...readdirSync(tree, { recursive: true, encoding: 'utf8' })])
    chownSync(join(tree, name), uid, gid);
}

describe('as an ordinary user', () => {
  test('with sudo: configure and unconfigure go all the way', () => {
    using rig = userRig('exec "$@"');
    const before = snapshot(rig.tree);
    const configured = rig.run('configure');
    expect(configured.stderr).toContain(runsAsRoot('sudo'));
    expect(configured.status).toBe(0);
    expect(readFileSync(rig.machines, 'utf8')).toContain('linuxkit-builder/machines');
    expect(readFileSync(rig.ssh, 'utf8')).toMatch(/^# >>>.*\nInclude ".*nix-linuxkit-builder\//);
    const undone = rig.run('unconfigure', '--purge', '--yes');
    expect(undone.status).toBe(0);
    removeTree(dirname(rig.directory));
    expect(snapshot(rig.tree)).toEqual(before);
  });

  // Behaviour 177: Root runs none of our programs and reads none of the user's files, unless an administrator asks
  // for it (`--root-part`, `--owner-gone`) or root owns the daemon.
  // Behaviour 178: `configure` and `unconfigure` show a script and have root run exactly that script. The script
  // contains no private key and reads none.
  test('the script that is shown is the one that root runs, word for word', () => {
    using rig = userRig('printf "%s\\0" "$3" >>"$0.ran"; exec "$@"');
    const said = [['configure', '--system'], ['unconfigure']].map(
      ([command = '', ...options]) => rig.run(command, ...options).stderr,
    );
    const scripts = readFileSync(join(rig.tree, 'bin/sudo.ran'), 'utf8').split('\0').slice(0, -1);
    // One of them writes words which, in a sentence of ours, would be given the -d of this command.
    expect(scripts.join('')).toContain('linuxkit-builder configure');
    for (const script of scripts) {
      const lines = script.trimEnd().replaceAll(/^(?=.)/gm, '    ');
      expect(said.join('')).toContain(`${runsAsRoot('sudo')}\n${lines}\n`);
    }
  });

  test('what another command took out of the ssh configuration while configure waited is written again', async () => {
    using rig = userRig('exit 1');
    expect(rig.run('configure', '--no-root').status).toBe(0);
    const lock = tryKernelLock(`${layoutOf(rig.directory).startLock}.kernel`);
    const configure = rig.begin('configure', '--no-root', '-m', '3000');
    let said = '';
    configure.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const ended = once(configure, 'exit');
    while (!said.includes('\n')) await once(configure.stderr, 'data');
    writeFileSync(rig.ssh, '');
    lock?.release();
    expect((await ended)[0], said).toBe(0);
    expect(readFileSync(rig.ssh, 'utf8')).toMatch(/^# >>>.*\nInclude /);
  });

  test('without sudo: what is written is told and can be undone', () => {
    using rig = userRig('echo "not in the sudoers file" >&2; exit 1');
    const before = snapshot(rig.tree);
    const configured = rig.run('configure');
    expect(configured.status).toBe(77);
    expect(configured.stderr).toContain('not in the sudoers file');
    expect(existsSync(rig.machines)).toBe(false);
    expect(rig.run('configure', '--no-root').status).toBe(0);
    expect(rig.run('unconfigure', '--purge', '--yes').status).toBe(0);
    removeTree(dirname(rig.directory));
    expect(snapshot(rig.tree)).toEqual(before);
  });

  // Behaviour 183: Without sudo, `configure` and `unconfigure` use doas. Without either, they say how to run the
  // script as root.
  test('with doas, where there is no sudo', () => {
    using rig = userRig('exit 1', '');
    const bin = join(rig.tree, 'bin');
    rmSync(join(bin, 'sudo'));
    writeFileSync(join(bin, 'doas'), '#!/bin/sh\nexec "$@"\n', { mode: 0o755 });
    for (const name of ['ssh', 'ssh-keygen', 'flock', 'ps', 'sh'])
      symlinkSync(findProgram(name), join(bin, name));
    const configured = rig.run('configure');
    expect(configured.stderr).toContain(runsAsRoot('doas'));
    expect(configured.status, configured.stderr).toBe(0);
    expect(readFileSync(rig.machines, 'utf8')).toContain('linuxkit-builder/machines');
    expect(rig.run('unconfigure', '--purge', '--yes').status).toBe(0);
  });

  test('a refused removal changes nothing of the user, and says what to do', () => {
    using rig = userRig('[ -e "$0.no" ] && exit 1; exec "$@"');
    rig.run('configure');
    writeFileSync(join(rig.tree, 'bin/sudo.no'), '');
    const before = readFileSync(rig.ssh);
    const refused = rig.run('unconfigure');
    expect(refused.status).toBe(77);
    expect(refused.stderr).toContain('--no-root');
    expect(readFileSync(rig.ssh)).toEqual(before);
    expect(readFileSync(rig.machines, 'utf8')).toContain('linuxkit-builder/machines');
  });

  test('a second directory of the same user is refused while the first is configured', () => {
    using rig = userRig('exec "$@"');
    const other = join(rig.tree, home, 'other');
    rig.run('configure');
    const before = snapshot(rig.tree);
    for (const argv of [[], ['--dry-run'], ['--no-root']]) {
      const refused = rig.run('configure', '-d', other, ...argv);
      expect(refused.status).toBe(64);
      expect(refused.stderr).toContain(secondDirectory(rig.directory, other).message);
      expect(refused.stderr).toContain(`linuxkit-builder unconfigure -d '${rig.directory}'`);
    }
    expect(snapshot(rig.tree)).toEqual(before);
    rig.run('unconfigure');
    expect(rig.run('configure', '-d', other).status).toBe(0);
    expect(readFileSync(rig.ssh, 'utf8')).toContain(`Include "${other}/ssh_config"`);
  });

  test('an ssh configuration that cannot be read is named', () => {
    using rig = userRig('exec "$@"');
    chmodSync(rig.ssh, 0);
    const configured = rig.run('configure');
    expect(configured.status).toBe(77);
    expect(configured.stderr).toContain(`Cannot read ${rig.ssh}`);
  });

  // Behaviour 191: `configure` plans everything before it writes the first file. If any file that it would write
  // cannot be read or written, it changes nothing.
  test('where ~/.ssh is not for them to write, nothing is changed', needs('root'), () => {
    using rig = userRig('exec "$@"');
    const folder = dirname(rig.ssh);
    chownSync(folder, 0, 0);
    const before = snapshot(rig.tree);
    const { status, stdout, stderr } = rig.run('configure', '--no-root');
    expect(stderr).toContain(`${folder} belongs to root.`);
    expect({ status, stdout }).toEqual({ status: 77, stdout: '' });
    expect(snapshot(rig.tree)).toEqual(before);
  });

  test("what leads to a builder in the same user's other directory is left", () => {
    using rig = userRig('exec "$@"');
    const other = join(rig.tree, home, 'other');
    rig.run('configure');
    // As a version left it that did not refuse the second one.
    mkdirSync(other);
    writeFileSync(join(other, 'config.json'), '{}');
    const theirs = readFileSync(rig.ssh, 'utf8').replace(rig.directory, other);
    writeFileSync(rig.ssh, theirs);
    const undone = rig.run('unconfigure');
    expect(undone.stdout).toContain(`Left ${rig.ssh}: it now leads to the builder in ${other}`);
    expect(readFileSync(rig.ssh, 'utf8')).toBe(theirs);
  });

  test('the include is taken out even where the state directory was deleted by hand', () => {
    using rig = userRig('exec "$@"');
    const before = readFileSync(rig.ssh);
    rig.run('configure');
    removeTree(rig.directory);
    expect(rig.run('unconfigure').status).toBe(0);
    expect(readFileSync(rig.ssh)).toEqual(before);
    expect(existsSync(rig.machines)).toBe(false);
  });

  test('up says whom the daemon of Nix lets in', needs('Linux'), () => {
    using rig = userRig('exit 1');
    const names = ['qemu-system-x86_64', 'qemu-system-aarch64', 'mksquashfs', 'nix-build'];
    for (const name of [...names, 'ssh', 'ssh-keygen'])
      writeFileSync(join(rig.tree, 'bin', name), '#!/bin/sh\n', { mode: 0o755 });
    const nix = join(rig.tree, 'nix/var/nix');
    mkdirSync(nix, { recursive: true, mode: 0o755 });
    chmodSync(nix, 0o555);
    const refused = rig.run('up');
    expect(refused.stderr).toContain('nix-daemon is not running, and you do not own /nix');
    expect(refused.status).toBe(69);
    chmodSync(nix, 0o755);
    mkdirSync(join(nix, 'daemon-socket'), { mode: 0o000 });
    const { stderr, status } = rig.run('up');
    expect(stderr).toContain('sudo usermod');
    expect(status).toBe(77);
    chmodSync(join(nix, 'daemon-socket'), 0o755);
  });
});
