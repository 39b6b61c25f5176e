/** Root's part by a sudoers rule: whoever asks is believed in nothing. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { isLoose, pathsTo } from '../../src/system/files/loose.ts';
import { readInstalled } from '../../src/host/installed.ts';
import { systemPathsOf, rootPaths } from '../../src/host/system-paths.ts';
import { proxyOf } from '../../src/nix/ssh/stanza.ts';
import { rootValuesOf } from '../../src/setup/root/root-plan.ts';
import { jobMark, systemJobPath } from '../../src/service/system-job.ts';
import { buildProgram, type BuiltProgram } from '../fakes/program.ts';
import { rootRequestIn } from './root-request.ts';
import { snapshot } from './configure-rig.ts';
import { needs, type Need } from '../needs.ts';
import { removeTree } from '../remove-tree.ts';

/** As an administrator installs it. */
const safeNode: Need = {
  what: 'a Node where only root can write',
  isMet: !pathsTo(process.execPath).some(isLoose),
};
const [ann, ben] = ['65534', '1'];
let program: BuiltProgram;
beforeAll(async () => {
  program = await buildProgram();
});
afterAll(() => program[Symbol.dispose]());

let tree: string;
beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), 'sudoers-'));
  const { rootHome, etcNix } = systemPathsOf(tree);
  for (const path of [rootHome, etcNix]) mkdirSync(path, { recursive: true });
});
afterEach(() => removeTree(tree));

const told = rootValuesOf(rootRequestIn('/'));
/** What sudo runs for that user. */
const ask = (uid: string, input: unknown, command = 'configure', path = '/usr/bin:/bin') =>
  spawnSync(process.execPath, [program.main, command, '--root-part'], {
    encoding: 'utf8',
    input: JSON.stringify(input),
    env: { PATH: path, LINUXKIT_BUILDER_TREE: tree, SUDO_UID: uid },
  });
const paths = () => rootPaths(systemPathsOf(tree));

describe('root’s part for another user', needs('root', safeNode), () => {
  test('runs nothing that the user has put on the PATH, which sudo may leave as it is', () => {
    const theirs = join(tree, 'theirs');
    mkdirSync(theirs);
    for (const name of ['ssh', 'id', 'sh', 'mv', 'nc', 'perl'])
      writeFileSync(join(theirs, name), `#!/bin/sh\ntouch ${tree}/ran\nexit 1\n`, { mode: 0o755 });
    const path = `${theirs}:/usr/bin:/bin`;
    expect(ask(ann, told, 'configure', path)).toMatchObject({ status: 0 });
    expect(ask(ann, '', 'unconfigure', path)).toMatchObject({ status: 0 });
    expect(existsSync(join(tree, 'ran'))).toBe(false);
  });

  test.each([
    ['sudo', { SUDO_UID: ann }],
    ['doas', { DOAS_USER: 'nobody' }],
  ])('runs no Node of the user’s, by the script that the manual has, under %s', (_, asking) => {
    const manual = readFileSync(join(import.meta.dirname, '../../docs/system-changes.md'), 'utf8');
    const [script = ''] = /^ {4}#!\/bin\/sh\n {4}exec .*$/m.exec(manual) ?? [];
    const path = join(tree, 'linuxkit-builder');
    const text = script
      .replaceAll(/^ {4}/gm, '')
      .replace('SUDO_UID=', `LINUXKIT_BUILDER_TREE='${tree}' SUDO_UID=`)
      .replace('/opt/linuxkit-builder/node', `'${process.execPath}'`)
      .replace('/opt/linuxkit-builder/dist/main.js', `'${program.main}'`);
    // What has no tree would be done to this machine.
    expect(text).toContain(
      `LINUXKIT_BUILDER_TREE='${tree}' SUDO_UID="$SUDO_UID" DOAS_USER="$DOAS_USER"`,
    );
    writeFileSync(path, `${text}\n`, { mode: 0o755 });
    const theirs = join(tree, 'theirs');
    mkdirSync(theirs);
    for (const name of ['node', 'env', 'sh'])
      writeFileSync(join(theirs, name), `#!/bin/sh\ntouch ${tree}/ran\n`, { mode: 0o755 });
    writeFileSync(join(theirs, 'ran.cjs'), `require('fs').writeFileSync('${tree}/ran', '')`);
    const { status, stderr } = spawnSync(path, ['configure', '--root-part'], {
      encoding: 'utf8',
      input: JSON.stringify(told),
      env: {
        PATH: `${theirs}:/usr/bin:/bin`,
        NODE_OPTIONS: `--require ${theirs}/ran.cjs`,
        ...asking,
      },
    });
    expect([status, stderr]).toEqual([0, '']);
    expect(readInstalled(paths().installed)?.owner.uid).toBe(Number(ann));
    expect(existsSync(join(tree, 'ran'))).toBe(false);
  });

  test('takes nobody for root of whom neither sudo nor doas says who it is', () => {
    const before = snapshot(tree);
    for (const command of ['configure', 'unconfigure']) {
      const { status, stderr } = ask('', told, command);
      expect([command, status, stderr]).toEqual([
        command,
        77,
        expect.stringContaining('which user'),
      ]);
    }
    expect(snapshot(tree)).toEqual(before);
  });

  // Behaviour 184: If a sudoers rule lets a user run root's part, root itself determines the paths, the owner and the
  // home directory. What the user passes in is checked as strictly as the settings in `config.json`, and a program
  // that others can change is not run.
  test('takes a few values, and knows by itself whose they are', () => {
    expect(ask(ann, told)).toMatchObject({ status: 0, stderr: '' });
    const owner = readInstalled(paths().installed)?.owner;
    expect(owner).toMatchObject({ uid: Number(ann), name: 'nobody' });
    expect(owner?.directory).toMatch(/\/\.cache\/nix-linuxkit-builder$/);
    expect(readFileSync(paths().list, 'utf8')).toMatch(/^ssh-ng:\/\/builder@nix-linuxkit x86_64-/);
  });

  const [getent = ''] = ['/usr/bin/getent', '/bin/getent'].filter((path) => existsSync(path));
  test.each([
    ['jürgen', 'by getent', ''],
    ['CORP\\jane doe', 'by getent', ''],
    ['jürgen', 'by the shell, where there is none', `mount --bind /dev/null ${getent} && `],
  ])('knows a user of any name: %s, %s', needs('mounts', { path: getent }), (name, _, hide) => {
    const users = join(tree, 'passwd');
    const theirs = `${name}:x:54999:54999::/home/${name}:/bin/sh\n`;
    writeFileSync(users, readFileSync('/etc/passwd', 'utf8') + theirs);
    const script = `${hide}mount --bind "$0" /etc/passwd && exec "$@"`;
    const argv = ['-m', 'sh', '-c', script, users, process.execPath, program.main];
    const { status, stderr } = spawnSync('unshare', [...argv, 'configure', '--root-part'], {
      encoding: 'utf8',
      input: JSON.stringify(told),
      env: { PATH: '/usr/bin:/bin', LINUXKIT_BUILDER_TREE: tree, SUDO_UID: '54999' },
    });
    expect([status, stderr]).toEqual([0, '']);
    const directory = `/home/${name}/.cache/nix-linuxkit-builder`;
    expect(readInstalled(paths().installed)?.owner).toEqual({ name, uid: 54_999, directory });
  });

  test('makes a door that is a socket, and finds by itself how ssh reaches it', () => {
    expect(ask(ann, { ...told, door: 'unix' })).toMatchObject({ status: 0, stderr: '' });
    expect(statSync(paths().door)).toMatchObject({ uid: Number(ann), mode: 0o40700 });
    const stanza = readFileSync(paths().sshConfig, 'utf8');
    expect(proxyOf(stanza)).toContain(paths().doorSocket);
    expect(ask(ann, {}, 'unconfigure')).toMatchObject({ status: 0, stderr: '' });
    expect(existsSync(paths().directory)).toBe(false);
  });

  test.each<[string, object]>([
    ['a way of his to the door', { ...told, door: 'unix', proxy: '/home/ann/evil' }],
    ['a door of his', { ...told, door: '/home/ann' }],
    ['a directory of his', { ...told, etcNix: '/home/ann' }],
    ['another owner', { ...told, owner: { name: 'root', uid: 0, directory: '/' } }],
    ['a line of his', { ...told, machinesLine: 'ssh-ng://root@evil.example' }],
    ['a second builder', { ...told, features: ['kvm ; ssh-ng://root@evil.example'] }],
    ['a second builder as what it is kept for', { ...told, mandatoryFeatures: ['a\nb'] }],
    ['a protocol of his', { ...told, protocol: 'ssh://evil.example ' }],
    ['a factor that is none', { ...told, speedFactor: '1 - - ;' }],
    ['a line of cron in the place of a key', { ...told, hostPublicKey: '* * * * * root id' }],
    ['what the release before took', { ...told, clientKey: 'PRIVATE' }],
  ])('refuses %s', (_, value) => {
    const before = snapshot(tree);
    expect(ask(ann, value).status).toBe(65);
    expect(snapshot(tree)).toEqual(before);
  });

  test('is done for one user, and taken back by nobody else', () => {
    const before = snapshot(tree);
    ask(ann, told);
    const done = snapshot(tree);
    expect(ask(ben, told).status).toBe(77);
    expect(ask(ben, {}, 'unconfigure').status).toBe(77);
    expect(snapshot(tree)).toEqual(done);
    expect(ask(ann, {}, 'unconfigure')).toMatchObject({ status: 0, stderr: '' });
    expect(snapshot(tree)).toEqual(before);
  });

  test('takes away the job at boot of nobody else, with and without a record of root’s', () => {
    const job = systemJobPath('systemd', tree);
    mkdirSync(dirname(job), { recursive: true });
    writeFileSync(job, `# ${jobMark}\n[Service]\nUser=nobody\n`);
    const refused = ask(ben, {}, 'unconfigure');
    expect(refused).toMatchObject({ status: 0, stderr: '' });
    expect(refused.stdout).toContain(`Left ${job}: it is the job of user nobody.`);
    ask(ben, told);
    expect(ask(ben, {}, 'unconfigure').stdout).not.toContain(`Deleted ${job}`);
    expect(existsSync(job)).toBe(true);
    expect(ask(ann, {}, 'unconfigure').stdout).toContain(`Deleted ${job}`);
    expect(existsSync(job)).toBe(false);
  });

  test('whatever the owner puts where the socket is, an administrator’s removal goes to its end', () => {
    expect(ask(ann, { ...told, door: 'unix' }).status).toBe(0);
    mkdirSync(paths().doorSocket);
    const { status, stderr } = spawnSync(
      process.execPath,
      [program.main, 'unconfigure', '--owner-gone'],
      { encoding: 'utf8', env: { PATH: '/usr/bin:/bin', LINUXKIT_BUILDER_TREE: tree } },
    );
    expect([status, stderr]).toEqual([
      0,
      expect.stringContaining(`Left ${paths().door} alone`) as string,
    ]);
    for (const path of [paths().installed, join(paths().directory, 'client_ed25519')])
      expect(existsSync(path), path).toBe(false);
  });

  test('follows no link that leads elsewhere', () => {
    const elsewhere = join(tree, 'cron.d');
    mkdirSync(elsewhere);
    symlinkSync(elsewhere, paths().directory);
    const before = snapshot(tree);
    expect(ask(ann, told).status).toBe(77);
    expect(snapshot(tree)).toEqual(before);
  });

  test('is not run by a program that others can change', () => {
    const before = snapshot(tree);
    const refused = [77, expect.stringContaining(program.main) as string];
    chmodSync(program.main, 0o666);
    const loose = ask(ann, told);
    chmodSync(program.main, 0o644);
    expect([loose.status, loose.stderr]).toEqual(refused);
    chownSync(program.main, Number(ann), 0);
    const theirs = ask(ann, told);
    chownSync(program.main, 0, 0);
    expect([theirs.status, theirs.stderr]).toEqual(refused);
    expect(snapshot(tree)).toEqual(before);
  });
});
