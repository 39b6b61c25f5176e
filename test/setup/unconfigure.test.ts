import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { isYes } from '../../src/command/ask.ts';
import { configureRig, snapshot } from './configure-rig.ts';
import { needs } from '../needs.ts';
import { nothingToUndo } from '../../src/setup/root/root-removal.ts';
import { removeTree } from '../remove-tree.ts';

type Rig = ReturnType<typeof configureRig>;
// Without root's rights the real root part needs sudo; as-user.test.ts has that path.
const asRoot = process.getuid?.() === 0;

function put(path: string, bytes: string, mode = 0o644): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, Buffer.from(bytes, 'latin1'));
  chmodSync(path, mode);
}

/** Set-ups that people have. */
const trees: Readonly<Record<string, (rig: Rig) => void>> = {
  'nothing at all': () => undefined,
  'no /etc/nix': ({ systemPaths }) => removeTree(dirname(systemPaths.etcNix)),
  'builders and hosts of others': ({ root }) => {
    put(root.machines, 'ssh://a x86_64-linux\n# b\n');
    put(root.ssh, 'Host *\n  User me\n', 0o600);
  },
  'CRLF, no newline at the end, bytes that are no UTF-8': ({ root }) => {
    put(root.machines, 'ssh://a\r\n# caf\xe9\r\nssh://b');
    put(root.ssh, 'Host *\r\n  User me');
  },
  'empty files with odd modes': ({ root }) => {
    put(root.machines, '', 0o640);
    put(root.ssh, '', 0o400);
  },
  "somebody else's files": ({ root }) => {
    put(root.machines, 'ssh://a\n', 0o664);
    put(root.ssh, 'Host b\n', 0o600);
    if (asRoot) chownSync(root.machines, 1234, 5678);
  },
  'lines of linuxkit-nix among others': ({ root }) =>
    put(
      root.machines,
      'ssh://nix-linuxkit x86_64-linux /k 1\nssh://a\nroot@nix-linuxkit - - 2\n# c',
    ),
  'a line of linuxkit-nix at the end, unfinished': ({ root }) =>
    put(root.machines, 'ssh://a\nssh://nix-linuxkit x86_64-linux /k 1'),
  'links into a directory of dotfiles': ({ root, tree }) => {
    put(join(tree, 'dotfiles/ssh'), 'Host *\n', 0o600);
    mkdirSync(dirname(root.ssh), { recursive: true });
    symlinkSync('../../dotfiles/ssh', root.ssh);
  },
  'links that lead nowhere': ({ root, tree }) => {
    mkdirSync(dirname(root.ssh), { recursive: true });
    symlinkSync('../../dotfiles/ssh', root.ssh);
    symlinkSync(join(tree, 'machines'), root.machines);
  },
  'links into the Nix store': ({ root }) => {
    symlinkSync('/nix/store/00000000000000000000000000000000-machines', root.machines);
  },
};

describe('configure, then unconfigure, leaves as it was', needs('root'), () => {
  test.each(Object.keys(trees))('%s', async (name) => {
    using rig = configureRig();
    trees[name]?.(rig);
    const before = rig.snapshot();
    expect((await rig.run()).failure).toBeUndefined();
    await rig.run('--port', '24999', '--max-jobs', '7');
    const configured = rig.snapshot();
    const dry = await rig.unconfigure('--dry-run');
    expect(dry.out.join('\n')).toContain(`Would delete ${rig.root.clientKey}`);
    expect(rig.snapshot()).toEqual(configured);
    const { out, failure } = await rig.unconfigure('--purge', '--yes');
    expect(failure).toBeUndefined();
    expect(out).toContain(`Deleted ${rig.layout.root}`);
    removeTree(dirname(rig.layout.root));
    expect(rig.snapshot()).toEqual(before);
    expect((await rig.unconfigure()).out).toEqual([nothingToUndo]);
  });
});

describe('unconfigure', needs('root'), () => {
  test('keeps the disk and the keys, and configure then gives back the same builder', async () => {
    using rig = configureRig();
    await rig.run('-c', '1');
    const before = rig.snapshot();
    writeFileSync(rig.layout.disk, 'blocks');
    const { out } = await rig.unconfigure();
    expect(out.at(-2)).toContain("Kept the guest's disk");
    expect(existsSync(rig.root.machines)).toBe(false);
    rmSync(rig.layout.disk);
    await rig.run();
    const name = (path: string) => path.slice(rig.tree.length + 1);
    const after = rig.snapshot();
    for (const path of [rig.root.machines, rig.root.sshConfig, rig.root.list, rig.layout.config])
      expect(after[name(path)]).toBe(before[name(path)]);
  });

  test('says what others have changed since, and leaves it', async () => {
    using rig = configureRig();
    put(rig.root.machines, 'ssh://a\n', 0o640);
    await rig.run();
    put(join(rig.root.directory, 'notes'), 'theirs');
    put(join(dirname(rig.root.ssh), 'id_rsa'), 'theirs');
    chmodSync(rig.root.machines, 0o600);
    writeFileSync(rig.root.machines, `${rig.read(rig.root.machines)}ssh://new\n`);
    writeFileSync(rig.root.ssh, rig.read(rig.root.ssh).replace('Include "', 'Include "/x'));
    const said = (await rig.unconfigure()).out.join('\n');
    expect(said).toContain(`Left ${rig.root.directory}/: it contains other files: notes`);
    expect(said).toContain('config id_rsa');
    expect(said).toContain(`Left our lines in ${rig.root.ssh}: they were changed.`);
    expect(rig.read(rig.root.machines)).toBe('ssh://a\nssh://new\n');
    expect(rig.mode(rig.root.machines)).toBe('600');
  });

  test('an interrupted one is finished by the next', async () => {
    using rig = configureRig();
    put(rig.root.machines, 'ssh://nix-linuxkit - - 1\nssh://a\n');
    const before = rig.read(rig.root.machines);
    await rig.run();
    // As if it had ended after the first file: Nix's list is right again, all else is still there.
    writeFileSync(rig.root.machines, before);
    expect((await rig.unconfigure()).failure).toBeUndefined();
    expect(rig.read(rig.root.machines)).toBe(before);
    expect(existsSync(dirname(rig.root.installed))).toBe(false);
  });

  test('undoes what an administrator did after --no-root', async () => {
    using rig = configureRig();
    const before = rig.snapshot();
    const { out } = await rig.run('--no-root');
    expect(spawnSync('/bin/sh', ['-c', out.join('\n')]).status).toBe(0);
    await rig.unconfigure('--purge', '--yes');
    removeTree(dirname(rig.layout.root));
    expect(rig.snapshot()).toEqual(before);
  });

  test("leaves root's part to somebody else with --no-root, and says the command", async () => {
    using rig = configureRig();
    await rig.run();
    const { out } = await rig.unconfigure('--no-root');
    expect(existsSync(rig.root.machines)).toBe(true);
    expect(spawnSync('/bin/sh', ['-c', out.join('\n')]).status).toBe(0);
    expect(existsSync(rig.root.directory)).toBe(false);
  });

  test('leaves the builder of another state directory', async () => {
    using rig = configureRig();
    await rig.runWith({}, '-d', join(rig.tree, 'other'));
    mkdirSync(rig.layout.state, { recursive: true });
    const { out } = await rig.unconfigure();
    expect(out.join('\n')).toContain(`in ${join(rig.tree, 'other')}`);
    expect(existsSync(rig.root.machines)).toBe(true);
  });

  test('deletes nothing without an answer', async () => {
    using rig = configureRig();
    await rig.run();
    const before = rig.snapshot();
    const { failure } = await rig.unconfigure('--purge');
    expect(failure).toMatchObject({ kind: 'needs-yes', exit: 64 });
    expect(rig.snapshot()).toEqual(before);
  });

  test('leaves nothing of an image, of its packages, or of what was cut short', async () => {
    using rig = configureRig();
    await rig.run();
    const hash = 'a'.repeat(64);
    for (const name of [
      `downloads/${hash}`,
      `downloads/${hash}.partial`,
      'downloads/downloading.kernel',
    ])
      put(join(rig.layout.root, name), 'ours');
    for (const name of ['builder-kernel', 'builder-vmlinux', 'good-kernel', 'good-initrd.img.new'])
      put(join(rig.layout.images, name), 'ours');
    await rig.unconfigure('--purge', '-y');
    expect(existsSync(rig.layout.root)).toBe(false);
  });

  // Behaviour 31: In `nix-state`, the directory in the state directory with the daemon's runtime files, `unconfigure
  // --purge` deletes only files and directories with names that this program uses, and lists what it leaves there.
  test('leaves what is not ours beside the daemon’s files, and says so', async () => {
    using rig = configureRig();
    await rig.run();
    const { layout } = rig;
    const { state, status, log, incidents, startLock, memory } = layout;
    for (const path of [status, `${status}.1234567890`, `${log}.1`, memory, layout.pid('qemu')])
      put(path, 'ours');
    for (const path of [`${startLock}.lock/x`, join(incidents, 'i/state.json')]) put(path, 'ours');
    for (const path of [layout.control, `${layout.agent}.spare`, `${startLock}.kernel`])
      put(path, 'ours');
    // The last two are of the release before.
    for (const name of [
      'vfkit-1f-2e.sock',
      '00000003.00000016',
      'accelerators.json',
      'networks-unfit.json',
    ])
      put(join(state, name), 'ours');
    // As a daemon that was killed leaves them.
    for (const path of [layout.daemonPid, layout.pid('daemon')]) put(path, 'ours');
    put(join(state, 'notes/thesis.txt'), 'mine');
    put(join(state, 'a\nlinuxkit-builder: b'), 'mine');
    const { out } = await rig.unconfigure('--purge', '-y');
    expect(out.at(-1)).toMatch(
      /Left the others: nix-state\/a linuxkit-builder: b, nix-state\/notes$/,
    );
    expect(Object.keys(snapshot(layout.root))).toEqual([
      'nix-state',
      'nix-state/a\nlinuxkit-builder: b',
      'nix-state/notes',
      'nix-state/notes/thesis.txt',
    ]);
  });

  // Behaviour 30: `unconfigure` restores or deletes only files that `configure` writes, even if a record of an
  // earlier change names others. `unconfigure --purge` deletes only our files in the state directory, and follows no
  // link.
  test('follows no link, and deletes nothing that only looks like ours', async () => {
    using rig = configureRig();
    await rig.run();
    const theirs = join(rig.tree, 'theirs');
    renameSync(rig.layout.keys, theirs);
    symlinkSync(theirs, rig.layout.keys);
    put(join(theirs, 'id_rsa'), 'mine');
    put(join(rig.layout.images, 'alpine-kernel'), 'mine');
    mkdirSync(join(rig.layout.images, 'empty'));
    symlinkSync(theirs, join(rig.layout.images, 'link'));
    put(join(rig.layout.downloads, 'downloading.txt'), 'mine');
    mkdirSync(rig.layout.gcRoots);
    symlinkSync(theirs, join(rig.layout.gcRoots, 'link'));
    const before = snapshot(theirs);
    expect((await rig.unconfigure('--purge', '-y')).failure).toBeUndefined();
    expect(snapshot(theirs)).toEqual(before);
    const left = Object.keys(snapshot(rig.layout.root));
    expect(left.filter((name) => !/^keys\/|\/link\//.test(name))).toEqual([
      'downloads',
      'downloads/downloading.txt',
      'gcroots',
      'gcroots/link',
      'image',
      'image/alpine-kernel',
      'image/empty',
      'image/link',
      'keys',
    ]);
  });

  test('deletes only what is ours in a directory that holds more', async () => {
    using rig = configureRig();
    await rig.run();
    // Copies that are called as what a killed writer leaves, and a folder with a file that is called as an image's.
    const copies = ['nix-disk.1234567890', 'thesis.txt', 'thesis.txt.1234567890'];
    const others = ['keys/mine', 'downloads/film.mkv', 'image/holiday.jpg', 'image/old/notes'];
    for (const name of [...copies, ...others, 'image/old/builder-kernel'])
      put(join(rig.layout.root, name), 'mine');
    const { out } = await rig.unconfigure('--purge', '-y');
    expect(out.at(-1)).toContain(`downloads, image, keys, ${copies.join(', ')}`);
    expect(rig.read(join(rig.layout.images, 'old/builder-kernel'))).toBe('mine');
    expect(existsSync(rig.layout.clientKey)).toBe(false);
    expect(rig.read(join(rig.layout.root, 'downloads/film.mkv'))).toBe('mine');
  });
});

describe('a question', () => {
  test.each([
    ['y\n', true],
    [' Yes \n', true],
    ['n\n', false],
    ['\n', false],
    ['', false],
  ])('answered %j', async (answer, yes) => {
    const input = new PassThrough();
    input.end(answer);
    const { signal } = new AbortController();
    expect(await isYes('Sure?', { input, output: new PassThrough(), signal })).toBe(yes);
  });
});
