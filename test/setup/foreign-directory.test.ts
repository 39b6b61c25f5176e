/** A state directory of somebody else's, who would have root do as he likes; and a directory that is none. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { builtImage } from '../../src/config/image-prefix.ts';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import { nativeSystem } from '../../src/domain/guest-system.ts';
import { systemPathsOf, rootPaths } from '../../src/host/system-paths.ts';
import { buildProgram, type BuiltProgram } from '../fakes/program.ts';
import {
  checkTrust,
  closeDirectories,
  closeDirectory,
  distrustOf,
} from '../../src/host/directory/state-directory.ts';
import { mayBeOurs } from '../../src/host/directory/directory-mark.ts';
import {
  applyDirectoryChange,
  directoryProblems,
  distrustProblems,
} from '../../src/setup/directories.ts';
import { plainly } from '../../src/system/advice.ts';
import { unitName } from '../../src/service/systemd/systemd-unit.ts';
import { failureOf, type Failure } from '../../src/system/failure.ts';
import { makePrivate } from '../../src/system/files/files.ts';
import { bundleAt } from '../../src/vm/boot-image.ts';
import { configureRig, snapshot } from './configure-rig.ts';
import { needs } from '../needs.ts';
import { nothingToUndo } from '../../src/setup/root/root-removal.ts';
import { removeTree } from '../remove-tree.ts';

const nobody = 65534;
let program: BuiltProgram;
beforeAll(async () => {
  program = await buildProgram();
});
afterAll(() => program[Symbol.dispose]());

let tree: string;
let layout: Layout;
const put = (path: string, text: string) => {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
};
/** As root. */
const run = (...argv: string[]) =>
  spawnSync(process.execPath, [program.main, ...argv], {
    encoding: 'utf8',
    timeout: 30_000,
    killSignal: 'SIGKILL',
    env: { PATH: process.env['PATH'] ?? '', HOME: tree, LINUXKIT_BUILDER_TREE: tree },
  });

beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), 'foreign-'));
  layout = layoutOf(join(tree, 'mallory'));
});
afterEach(() => removeTree(tree));

/** What undoes anything at all, if it is believed. */
function lay(): void {
  const passwd = join(tree, 'passwd');
  put(passwd, 'root:x:0:0');
  put(join(tree, 'important'), 'x');
  const digest = createHash('sha256').update('root:x:0:0').digest('hex');
  const before = { mode: 0o644, uid: 0, gid: 0, bytes: Buffer.from('toor').toString('base64') };
  put(
    layout.receipts,
    JSON.stringify([
      { path: join(tree, 'important'), put: 'log', before: null, digest: '', at: '' },
      { path: passwd, put: 'whole', before, digest, at: '' },
    ]),
  );
  put(layout.config, '{}');
  put(join(layout.state, 'daemon.log'), '{}\n');
}

// Behaviour 19: Apart from the exceptions that follow, no command works in a state directory that belongs to another
// user, or that others can replace because they own a directory above it or can write to one.
// Behaviour 20: If others can write to the state directory itself, a command makes it private, provided that no other
// user has put anything there or can write to a file there. Otherwise, the command refuses it.
// Behaviour 21: A command that only shows something works in another user's state directory, too, and warns. The
// group of a declared builder can control its daemon.
// Behaviour 22: In a state directory that others can replace, `stop` and commands that only ask a running daemon for
// something, such as `suspend` and `drain`, still work, unless root runs them.
describe('a directory of another user', needs('root'), () => {
  const changing: readonly (readonly string[])[] = [
    ['configure'],
    ['start'],
    ['stop'],
    ['restart'],
    ['unconfigure', '--purge', '--yes'],
    ['daemon'],
    ['ssh'],
    ['image', 'build'],
    ['disk', 'reset', '--yes'],
    ['verdicts', '--clear'],
    ['doctor', '--fix'],
  ];
  test.each(changing)('is changed by no command of root’s: %s', (...argv) => {
    lay();
    chownSync(layout.root, nobody, nobody);
    const before = snapshot(tree);
    const { status, stderr } = run(argv[0] ?? '', ...rest(argv), '-d', layout.root);
    expect(stderr).toContain(`(uid ${nobody})`);
    expect(status).toBe(argv[0] === 'configure' ? 64 : 77);
    expect(snapshot(tree)).toEqual(before);
  });
  const rest = (argv: readonly string[]) => argv.slice(1);

  // Of one that is closed a user would see as little.
  test('is none in which nothing has been set up', () => {
    put(join(layout.state, 'daemon.log'), '{}\n');
    chownSync(layout.root, nobody, nobody);
    expect(run('image', 'update', '-d', layout.root).status).toBe(77);
  });

  test('is shown to root, as his word', () => {
    lay();
    chownSync(layout.root, nobody, nobody);
    const { status, stderr } = run('status', '-d', layout.root);
    expect(stderr).toMatch(/^Warning: .* belongs to another user \(uid 65534\)/);
    expect(status).toBe(69);
    expect(run('logs', '-d', layout.root).status).toBe(0);
  });

  // Behaviour 25: In a state directory, the settings, the program's own records and an image's manifest are read only
  // if they are regular files of at most 16 MiB. A pipe, a link to a device or a larger file in their place is not
  // read, and no command waits for it.
  test.each([
    ['status'],
    ['list'],
    ['boot-report'],
    ['machines'],
    ['ssh-config'],
    ['daemon', '--dry-run'],
    ['image', 'info'],
    ['logs'],
    ['configure', '--no-root'],
  ])('has root wait for nothing, and read nothing without end: %s', (command, ...options) => {
    const { config, status, boots, day, sshConfig, machines, verdicts, receipts, log } = layout;
    mkdirSync(layout.state, { recursive: true });
    mkdirSync(layout.images);
    const bundle = bundleAt(builtImage(layout, nativeSystem(process.arch)));
    const settings = command === 'image' ? [] : [config];
    for (const path of [...settings, boots, day, sshConfig, machines, verdicts, receipts])
      expect(spawnSync('mkfifo', [path]).status).toBe(0);
    expect(spawnSync('mkfifo', [bundle.manifest]).status).toBe(0);
    for (const path of [bundle.kernel, bundle.initrd, bundle.cmdline]) writeFileSync(path, 'x');
    symlinkSync('/dev/zero', status);
    writeFileSync(log, '');
    truncateSync(log, 1024 ** 4);
    chownSync(layout.root, nobody, nobody);
    const ran = run(command, ...options, '-d', layout.root);
    expect([ran.signal, ran.stderr]).toEqual([
      null,
      expect.stringContaining(`(uid ${nobody})`) as string,
    ]);
    expect(ran.stderr).not.toContain('bug');
  });

  test('is not reached by a directory of root’s that he can put another in the place of', () => {
    lay();
    const above = join(tree, 'home');
    mkdirSync(above);
    renameSync(layout.root, join(above, 'mallory'));
    chownSync(above, nobody, nobody);
    // Nor does root ask or end a daemon that he may have put there.
    for (const argv of [['unconfigure', '-y', '--purge'], ['stop'], ['drain']]) {
      const { status, stderr } = run(argv[0] ?? '', ...rest(argv), '-d', join(above, 'mallory'));
      expect([status, stderr]).toEqual([
        77,
        expect.stringContaining(`${above}, which contains`) as string,
      ]);
    }
  });

  test.each([
    ['others', 0o757],
    ['its group', 0o775],
  ])('that %s can write is refused, and made private by those who can', (_, mode) => {
    lay();
    chmodSync(layout.root, mode);
    const { status, stderr } = run('unconfigure', '-d', layout.root);
    expect([status, stderr]).toEqual([77, expect.stringContaining('chmod go-w') as string]);
    expect(run('configure', '-d', layout.root, '-q').status).toBe(0);
    expect(run('unconfigure', '-d', layout.root).status).toBe(0);
  });

  test.each(['nix-state', 'keys', 'image', 'downloads'])(
    'whose %s others can write is refused, and closed',
    (name) => {
      lay();
      const inner = join(layout.root, name);
      mkdirSync(inner, { recursive: true });
      chmodSync(layout.root, 0o755);
      chmodSync(inner, 0o777);
      const { status, stderr } = run('unconfigure', '-d', layout.root);
      expect([status, stderr]).toEqual([77, expect.stringContaining(`go-w '${inner}'`) as string]);
      expect(distrustOf(layout)).toEqual({ kind: 'open', path: inner });
      closeDirectories(layout);
      expect(statSync(inner).mode & 0o777).toBe(0o700);
      chmodSync(inner, 0o777);
      symlinkSync(layout.config, join(inner, 'his'));
      lchownSync(join(inner, 'his'), nobody, nobody);
      expect(() => closeDirectories(layout)).toThrow(join(inner, 'his'));
      expect(statSync(inner).mode & 0o777).toBe(0o777);
      rmSync(join(inner, 'his'));
      expect(run('configure', '-d', layout.root, '-q').status).toBe(0);
      expect(statSync(inner).mode & 0o777).toBe(0o700);
    },
  );

  test.each(['start', 'daemon', 'configure', 'doctor'])(
    'that others can write, and have, is made private by nobody: %s',
    (command) => {
      lay();
      chmodSync(layout.root, 0o777);
      chownSync(layout.config, nobody, nobody);
      const before = snapshot(tree);
      const { status, stderr } = run(command, '-d', layout.root);
      expect(stderr).toContain(layout.config);
      expect(stderr).toContain(`(uid ${nobody})`);
      expect(status).toBe(command === 'configure' ? 64 : 77);
      expect(snapshot(tree)).toEqual(before);
    },
  );

  test.each(['stop', 'status', 'configure'])(
    'in which another has put a name with a line of his own shows no such line: %s',
    (command) => {
      lay();
      chmodSync(layout.root, 0o777);
      const planted = join(layout.root, 'x\nlinuxkit-builder: run this: curl his | sh');
      put(planted, '');
      chownSync(planted, nobody, nobody);
      const { stdout, stderr } = run(command, '-d', layout.root);
      expect(stderr).toContain('x linuxkit-builder: run this');
      expect(stdout + stderr).not.toMatch(/^linuxkit-builder: run this/m);
    },
  );

  test.each(['start', 'daemon', 'configure', 'doctor'])(
    'that others can write, with a file that they can write, is made private by nobody: %s',
    (command) => {
      lay();
      chmodSync(layout.root, 0o777);
      chmodSync(layout.config, 0o666);
      const before = snapshot(tree);
      const { status, stderr } = run(command, '-d', layout.root);
      expect(stderr).toContain(`chmod go-w '${layout.config}'`);
      expect(status).toBe(command === 'configure' ? 64 : 77);
      expect(snapshot(tree)).toEqual(before);
      chmodSync(layout.root, 0o755);
      expect(run('configure', '-d', layout.root, '-q').status).toBe(0);
    },
  );

  test('in which another puts something after the last look is open as before, and refused', () => {
    lay();
    chmodSync(layout.root, 0o777);
    const plant = () => {
      const planted = `${layout.config}.his`;
      put(planted, '{"qemu": "/tmp/his"}');
      chownSync(planted, nobody, nobody);
      renameSync(planted, layout.config);
    };
    const close = () => {
      try {
        closeDirectory(layout.root, layout, (path) => {
          plant();
          makePrivate(path);
        });
      } catch (error) {
        return failureOf(error).kind;
      }
      return undefined;
    };
    expect(distrustOf(layout)).toMatchObject({ kind: 'open' });
    expect(close()).toBe('directory-not-trusted');
    expect(statSync(layout.root).mode & 0o777).toBe(0o777);
    expect(distrustOf(layout)).toEqual({ kind: 'planted', path: layout.config, uid: nobody });
    const change = { path: layout.root, kind: 'make-private' } as const;
    expect(() => applyDirectoryChange(change, layout)).toThrow(layout.config);
    rmSync(layout.config);
    applyDirectoryChange(change, layout);
    expect(statSync(layout.root).mode & 0o777).toBe(0o700);
  });

  test('and a receipt that names what configure never writes does nothing', () => {
    lay();
    const { home } = systemPathsOf(tree);
    // One that it writes lines into alone, one beside it, and one that is called as its own.
    const files = [join(home, '.ssh/config'), join(home, '.profile'), join(tree, 'etc', unitName)];
    const spool = join(tree, 'spool');
    mkdirSync(spool);
    for (const path of files) put(path, 'x');
    const receipt = { before: null, digest: '', at: '' };
    const more = [
      ...files.map((path) => ({ ...receipt, path, put: 'log' })),
      { ...receipt, path: spool, put: 'directory' },
    ];
    const known = JSON.parse(readFileSync(layout.receipts, 'utf8')) as object[];
    writeFileSync(layout.receipts, JSON.stringify([...known, ...more]));
    expect(run('unconfigure', '-d', layout.root, '--purge', '-y').status).toBe(0);
    expect(existsSync(layout.receipts)).toBe(false);
    expect(readFileSync(join(tree, 'passwd'), 'utf8')).toBe('root:x:0:0');
    for (const path of [join(tree, 'important'), ...files, spool])
      expect(existsSync(path), path).toBe(true);
  });

  // Behaviour 23: `unconfigure --owner-gone` works without the owner's state directory: it uses root's own record.
  test('whose owner is gone: an administrator takes back root’s part by root’s own record', () => {
    const systemPaths = systemPathsOf(tree);
    for (const path of [systemPaths.home, systemPaths.rootHome, systemPaths.etcNix])
      mkdirSync(path, { recursive: true });
    put(rootPaths(systemPaths).machines, 'ssh://a\n');
    const before = snapshot(tree);
    expect(run('configure', '-d', layout.root, '-q').status).toBe(0);
    const { installed } = rootPaths(systemPaths);
    const theirs = readFileSync(installed, 'utf8').replace('"uid": 0', `"uid": ${nobody}`);
    writeFileSync(installed, theirs);
    lay();
    chownSync(layout.root, nobody, nobody);
    const his = snapshot(layout.root);
    expect(run('configure', '-d', join(tree, 'mine')).stderr).toContain('--owner-gone');
    expect(run('unconfigure', '--owner-gone')).toMatchObject({ status: 0, stderr: '' });
    expect(snapshot(layout.root)).toEqual(his);
    for (const path of [layout.root, join(tree, 'passwd'), join(tree, 'important')])
      removeTree(path);
    expect(snapshot(tree)).toEqual(before);
    expect(run('unconfigure', '--owner-gone').stdout).toBe(`${nothingToUndo}\n`);
  });
});

function failureIn(act: () => void): Failure | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    return failureOf(error);
  }
}

// Behaviour 19: Apart from the exceptions that follow, no command works in a state directory that belongs to another
// user, or that others can replace because they own a directory above it or can write to one.
// Behaviour 20: If others can write to the state directory itself, a command makes it private, provided that no other
// user has put anything there or can write to a file there. Otherwise, the command refuses it.
// Behaviour 21: A command that only shows something works in another user's state directory, too, and warns. The
// group of a declared builder can control its daemon.
// Behaviour 22: In a state directory that others can replace, `stop` and commands that only ask a running daemon for
// something, such as `suspend` and `drain`, still work, unless root runs them.
describe('a directory of a user', needs('root'), () => {
  const user = 1234;
  let above: string;
  beforeEach(() => {
    vi.spyOn(process, 'geteuid').mockReturnValue(user);
    above = join(tree, 'home');
    layout = layoutOf(join(above, 'between', 'state'));
    mkdirSync(layout.root, { recursive: true, mode: 0o755 });
    for (const path of [above, dirname(layout.root), layout.root]) chownSync(path, user, user);
  });
  afterEach(() => void vi.restoreAllMocks());

  test.each([
    ['0755', 0o755],
    ['writable by a group of his alone', 0o775],
    ['sticky', 0o1777],
  ])('below one that is %s is his', (_, mode) => {
    chmodSync(above, mode);
    expect(distrustOf(layout)).toBeUndefined();
    chownSync(above, 0, 0);
    chmodSync(above, mode === 0o775 ? 0o755 : mode);
    expect(distrustOf(layout)).toBeUndefined();
  });

  test.each([
    ['writable by all', () => chmodSync(above, 0o777)],
    [
      'writable by a group of several',
      () => {
        chownSync(above, user, 20);
        chmodSync(above, 0o775);
      },
    ],
    ['root’s, and writable by a group', () => (chownSync(above, 0, 50), chmodSync(above, 0o775))],
    ['of another user', () => chownSync(above, nobody - 1, 0)],
  ])('below one that is %s is refused, and said to be by those that look', (_, open) => {
    open();
    expect(distrustOf(layout)).toEqual({ kind: 'below-others', path: above });
    // A daemon that launchd or systemd would only start again waits.
    expect(failureIn(() => closeDirectories(layout))).toMatchObject({
      kind: 'directory-not-trusted',
      blocksDaemon: true,
    });
    // One that is not there yet would be in it.
    const later = layoutOf(join(above, 'later'));
    expect(distrustProblems(later)).toHaveLength(1);
    expect(directoryProblems(later)).toHaveLength(1);
    expect(() => checkTrust(layout, 'mend', () => undefined)).toThrow(above);
    const warnings: string[] = [];
    for (const use of ['look', 'ask', 'end', 'wait'] as const)
      checkTrust(layout, use, (line) => warnings.push(line));
    expect(warnings).toEqual([expect.stringContaining(above)]);
  });

  test('that others can write is closed, by each of its names', () => {
    mkdirSync(layout.state);
    chownSync(layout.state, user, user);
    const other = layoutOf(join(tree, 'other'));
    symlinkSync(layout.root, other.root);
    lchownSync(other.root, user, user);
    for (const each of [layout, other]) {
      chmodSync(layout.root, 0o777);
      expect(distrustOf(each)).toEqual({ kind: 'open', path: each.root });
      closeDirectories(each);
      expect(statSync(layout.root).mode & 0o777).toBe(0o700);
    }
  });

  test('below others is no reason to close what they have put in its place', () => {
    const other = join(tree, 'other');
    mkdirSync(other, { mode: 0o755 });
    chownSync(other, user, user);
    renameSync(layout.root, `${layout.root}.real`);
    symlinkSync(other, layout.root);
    chmodSync(dirname(layout.root), 0o777);
    expect(() => closeDirectories(layout)).toThrow(dirname(layout.root));
    expect(statSync(other).mode & 0o777).toBe(0o755);
  });

  test('with a link to what is below others is refused, and by a link of others as well', () => {
    const shared = join(tree, 'shared');
    mkdirSync(join(shared, 'images'), { recursive: true, mode: 0o755 });
    chownSync(join(shared, 'images'), user, user);
    symlinkSync(join(shared, 'images'), layout.images);
    expect(distrustOf(layout)).toBeUndefined();
    chmodSync(shared, 0o777);
    expect(distrustOf(layout)).toEqual({ kind: 'below-others', path: shared });
    rmSync(layout.images);
    const given = layoutOf(join(tree, 'sticky/state'));
    mkdirSync(join(tree, 'sticky'));
    chmodSync(join(tree, 'sticky'), 0o1777);
    symlinkSync(layout.root, given.root);
    lchownSync(given.root, user, user);
    expect(distrustOf(given)).toBeUndefined();
    lchownSync(given.root, nobody - 1, user);
    expect(distrustOf(given)).toEqual({ kind: 'below-others', path: given.root });
  });

  test.each([
    ['writable by all', 0o777, () => user],
    ['in which a link of others lies', 0o1777, () => nobody - 1],
  ])('with a link by way of what is %s, is refused and no target is closed', (_, mode, owner) => {
    const [shared, target] = [join(tree, 'shared'), join(tree, 'target')];
    mkdirSync(shared);
    mkdirSync(target, { mode: 0o755 });
    chownSync(target, user, user);
    symlinkSync(target, join(shared, 'hop'));
    symlinkSync(join(shared, 'hop'), layout.images);
    lchownSync(join(shared, 'hop'), user, user);
    expect(distrustOf(layout)).toBeUndefined();
    chmodSync(shared, mode);
    lchownSync(join(shared, 'hop'), owner(), user);
    expect(distrustOf(layout)).toMatchObject({ kind: 'below-others' });
    expect(() => closeDirectories(layout)).toThrow(shared);
    expect(statSync(target).mode & 0o777).toBe(0o755);
  });

  describe('to which a link leads', () => {
    let [far, link] = ['', ''];
    beforeEach(() => {
      far = join(tree, 'far');
      link = join(above, 'link');
      mkdirSync(join(far, 'state'), { recursive: true });
      symlinkSync(join(far, 'state'), link);
      for (const path of [far, join(far, 'state'), link]) lchownSync(path, user, user);
    });

    test('is his, and not where it belongs to another user', () => {
      expect(distrustOf(layoutOf(link))).toBeUndefined();
      chownSync(join(far, 'state'), nobody - 1, 0);
      expect(distrustOf(layoutOf(link))).toMatchObject({ kind: 'foreign', uid: nobody - 1 });
    });

    test.each([
      ['writable by all, where it is', () => (chmodSync(far, 0o777), far)],
      ['writable by all, where the link is', () => (chmodSync(above, 0o777), above)],
      ['another user’s, as the link is', () => (lchownSync(link, nobody - 1, 0), link)],
    ])('is refused below what is %s', (_, open) => {
      const path = open();
      expect(distrustOf(layoutOf(link))).toEqual({ kind: 'below-others', path });
    });
  });
});

// Behaviour 29: `configure -d` accepts only a directory that does not exist yet, that is empty, that this program has
// marked as a state directory, or that an earlier version made.
describe('configure -d', () => {
  test('takes no directory with files of somebody’s', async () => {
    using rig = configureRig();
    for (const name of ['example.nix', 'ssh_config', 'keys/known_hosts', 'config.json'])
      put(join(rig.layout.root, name), '{"name": "mine"}');
    const before = rig.snapshot();
    const { failure } = await rig.run();
    expect(failure?.kind).toBe('bad-settings');
    expect(failure?.lines?.map(plainly).join('')).toContain(`"${rig.layout.root}"`);
    expect(rig.snapshot()).toEqual(before);
    const { failure: second } = await rig.run('--take-over');
    expect(second).toEqual(failure);
    await rig.unconfigure('--purge', '-y');
    expect(rig.snapshot()).toEqual(before);
  });

  test.each(['image/alpine-kernel', 'downloads/film.mkv', 'nix-state/thesis.txt'])(
    'takes none in which only the folders are called as ours are: %s',
    async (name) => {
      using rig = configureRig();
      put(join(rig.layout.root, name), 'mine');
      const before = rig.snapshot();
      const { failure } = await rig.run();
      expect(failure).toMatchObject({ kind: 'bad-settings' });
      expect(failure?.lines?.map(plainly).join('')).toContain(rig.layout.root);
      await rig.unconfigure('--purge', '-y');
      expect(rig.snapshot()).toEqual(before);
    },
  );

  test.each(['.linuxkit-builder.3206356122', '.linuxkit-builder.7'])(
    'takes one in which a configure was killed before it had marked it: %s',
    (name) => {
      put(join(layout.root, name), 'This is linux');
      expect(mayBeOurs(layout)).toBe(true);
      put(join(layout.root, `${name}.letter`), 'mine');
      expect(mayBeOurs(layout)).toBe(false);
    },
  );

  test('takes an empty one, ours, and that of the release before', needs('root'), async () => {
    using rig = configureRig();
    mkdirSync(rig.layout.root, { recursive: true });
    expect((await rig.run()).failure).toBeUndefined();
    put(join(rig.layout.root, 'notes'), 'mine');
    expect((await rig.run()).failure).toBeUndefined();
    rmSync(rig.layout.mark);
    expect((await rig.run()).failure).toBeUndefined();
    expect(existsSync(rig.layout.mark)).toBe(true);
  });
});
