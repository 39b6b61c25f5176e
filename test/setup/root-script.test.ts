/** Root's two scripts, run by every kind of shell that is /bin/sh somewhere and is here. */
import { createHash } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readInstalled } from '../../src/host/installed.ts';
import { withBlock } from '../../src/host/managed-block.ts';
import type { RootPaths } from '../../src/host/system-paths.ts';
import { needed, rootNeeds, rootScript } from '../../src/setup/root/root-files.ts';
import { rootLines, type RootRequest } from '../../src/setup/root/root-plan.ts';
import { removalScript } from '../../src/setup/root/root-removal.ts';
import { installScript } from '../../src/setup/root/root-script.ts';
import { withLine } from '../../src/host/root/root-lines.ts';
import { tryProgram } from '../../src/system/process/find-program.ts';
import { snapshot } from './configure-rig.ts';
import { rootRequestIn } from './root-request.ts';
import { needs } from '../needs.ts';
import { removeTree } from '../remove-tree.ts';

const shells = ['sh', 'dash', 'bash', 'busybox'].filter((name) => tryProgram(name) !== undefined);
const asRoot = process.getuid?.() === 0;

let tree: string;
let request: RootRequest;
let paths: RootPaths;

beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), "root's Skript-"));
  request = rootRequestIn(join(tree, '/'));
  ({ paths } = request);
  mkdirSync(join(tree, 'root'), { recursive: true });
});
afterEach(() => removeTree(tree));

function put(path: string, bytes: string, mode = 0o644): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, Buffer.from(bytes, 'latin1'));
  chmodSync(path, mode);
}

const environment = { encoding: 'utf8', argv0: 'sh', env: {} } as const;
function perform(script: string, shell = '/bin/sh') {
  const program = tryProgram(shell) ?? '';
  const { status, stdout, stderr } = spawnSync(program, ['-c', script], environment);
  return { status, stdout, stderr };
}
const installing = () => rootScript(rootNeeds(request));
const removing = () => {
  const removal = { paths, of: request.owner };
  return removalScript({ removal, known: readInstalled(paths.installed) });
};

/** What people have. */
const trees: Readonly<Record<string, () => void>> = {
  'nothing at all': () => undefined,
  'builders and hosts of others': () => {
    put(paths.machines, 'ssh://a x86_64-linux\n# b\n', 0o640);
    put(paths.ssh, 'Host *\n  User me\n', 0o600);
  },
  'CRLF, no end of the last line, bytes that are no UTF-8, words that a shell would take': () => {
    put(paths.machines, 'ssh://a\r\n# caf\xe9 $(id) `id` %s \\n\r\nssh://b');
    put(paths.ssh, "Host *\r\n  User '*\\");
  },
  'empty files, and blank lines at the end': () => {
    put(paths.machines, '\n\n\n');
    put(paths.ssh, '', 0o400);
  },
  'lines of linuxkit-nix': () => {
    put(paths.machines, 'ssh://nix-linuxkit - /k 1\nssh://a\n\troot@nix-linuxkit - - 2\r\n# c');
    put(paths.ssh, `Include /root/.ssh/nix-linuxkit-ssh-config\nHost a\n`);
  },
  'a line of linuxkit-nix at the end, unfinished': () =>
    put(
      paths.machines,
      '# ssh://nix-linuxkit x86_64-linux /k 1\nssh://nix-linuxkit x86_64-linux /k 1',
    ),
};

// Behaviour 179: Root's script, and the script that undoes it, work under every shell that is used as `/bin/sh`. Once
// both have run, every file is byte-identical to what it was before, even if the second script was interrupted and
// run again, or if an earlier version wrote the file.
describe.each(shells)('under %s', (shell) => {
  test.each(Object.keys(trees))('all is written, then nothing, and all taken back: %s', (name) => {
    trees[name]?.();
    const before = snapshot(tree);
    const bytes = (path: string) => (existsSync(path) ? readFileSync(path, 'latin1') : '');
    const expected = Object.entries(rootLines(paths)).map(([file, line]) =>
      withLine(bytes(paths[file as 'ssh' | 'machines']), line),
    );
    expect(perform(installing(), shell)).toMatchObject({ status: 0, stderr: '' });
    expect([bytes(paths.ssh), bytes(paths.machines)]).toEqual(expected);
    expect(needed(rootNeeds(request))).toEqual([]);
    const installed = snapshot(tree);
    expect(perform(installing(), shell)).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(snapshot(tree)).toEqual(installed);
    expect(perform(removing(), shell)).toMatchObject({ status: 0, stderr: '' });
    expect(snapshot(tree)).toEqual(before);
  });

  test('what the release before wrote becomes this, and is taken back to the byte', () => {
    for (const upgraded of [true, false])
      for (const lay of Object.values(trees)) {
        removeTree(tree);
        mkdirSync(join(tree, 'root'), { recursive: true });
        lay();
        const before = snapshot(tree);
        writeAsBefore();
        if (upgraded) {
          expect(needed(rootNeeds(request)).map(({ path }) => path)).toContain(paths.machines);
          expect(perform(installing(), shell)).toMatchObject({ status: 0, stderr: '' });
          expect(needed(rootNeeds(request))).toEqual([]);
          expect(readFileSync(paths.machines, 'latin1')).not.toContain('ssh-ng://builder');
        }
        expect(perform(removing(), shell)).toMatchObject({ status: 0, stderr: '' });
        expect(snapshot(tree)).toEqual(before);
      }
  });

  test('a key that is whole stays, one that is not is made anew', () => {
    perform(installing(), shell);
    const first = readFileSync(paths.clientKey, 'utf8');
    expect(statSync(paths.clientKey).mode & 0o777).toBe(0o600);
    expect(readFileSync(paths.clientPublicKey, 'utf8')).toMatch(/^ssh-ed25519 \S+ nix-daemon\n$/);
    perform(installing(), shell);
    expect(readFileSync(paths.clientKey, 'utf8')).toBe(first);
    writeFileSync(paths.clientKey, first.slice(0, 200));
    expect(perform(installing(), shell).status).toBe(0);
    expect(readFileSync(paths.clientKey, 'utf8')).not.toBe(first.slice(0, 200));
  });

  test('the directory of a door that is a socket comes and goes, with what a daemon left in it', () => {
    const before = snapshot(tree);
    const uid = asRoot ? 1000 : (process.getuid?.() ?? 0);
    const tcp = { ...request, owner: { ...request.owner, uid } };
    const unix = { ...tcp, door: 'unix' as const, proxy: `/usr/bin/nc -U ${paths.doorSocket}` };
    request = tcp;
    perform(installing(), shell);
    const port = snapshot(tree);
    request = unix;
    expect(needed(rootNeeds(request)).map(({ path }) => path)).toContain(paths.door);
    expect(perform(installing(), shell)).toMatchObject({ status: 0, stderr: '' });
    expect(needed(rootNeeds(request))).toEqual([]);
    expect(statSync(paths.door)).toMatchObject({ uid, mode: 0o40700 });
    expect(readFileSync(paths.sshConfig, 'utf8')).toContain(`ProxyCommand ${unix.proxy}\n`);
    expect(perform(installing(), shell)).toEqual({ status: 0, stdout: '', stderr: '' });
    const leave = () => {
      for (const end of ['', '.lock', '.new']) writeFileSync(`${paths.doorSocket}${end}`, '');
    };
    leave();
    request = tcp;
    expect(perform(installing(), shell)).toMatchObject({ status: 0, stderr: '' });
    expect(snapshot(tree)).toEqual(port);
    request = unix;
    perform(installing(), shell);
    leave();
    expect(perform(removing(), shell)).toMatchObject({ status: 0, stderr: '' });
    expect(snapshot(tree)).toEqual(before);
  });
});

/** The bytes and the record that the release before left, with a copy of the user's key. */
function writeAsBefore(): void {
  const at = new Date(0).toISOString();
  const receipts: unknown[] = [];
  const record = (path: string, rest: object) =>
    receipts.push({ path, before: null, digest: '', replaced: [], at, ...rest });
  for (const path of [join(tree, 'etc'), paths.nix, paths.directory, dirname(paths.ssh)])
    if (!existsSync(path)) record(path, { put: 'directory' });
  const block = (path: string, line: string, where: 'first' | 'last', stray: RegExp) => {
    const now = existsSync(path) ? readFileSync(path, 'latin1') : undefined;
    const lines = (now ?? '').split(/(?<=\n)/);
    const replaced = lines.flatMap((text, line) => (stray.test(text) ? [{ line, text }] : []));
    const kept = lines.filter((text) => !stray.test(text)).join('');
    const before = now === undefined ? null : { mode: statSync(path).mode & 0o777, uid: 0, gid: 0 };
    const digest = createHash('sha256').update(line).digest('hex');
    record(path, { put: 'block', before, digest, replaced });
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const mode = now === undefined && where === 'first' ? 0o600 : undefined;
    writeFileSync(path, withBlock(Buffer.from(kept, 'latin1'), [line], where), { mode });
  };
  mkdirSync(paths.directory, { recursive: true });
  const { ssh } = rootLines(paths);
  block(paths.ssh, ssh.line, 'first', /nix-linuxkit-ssh-config/);
  const line = 'ssh-ng://builder@nix-linuxkit x86_64-linux - 2 1 linuxkit-builder - c3No';
  block(paths.machines, line, 'last', /^(?!#).*nix-linuxkit/);
  spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', paths.clientKey]);
  rmSync(paths.clientPublicKey);
  const installed = { version: 1, owner: request.owner, receipts };
  writeFileSync(paths.installed, `${JSON.stringify(installed, null, 2)}\n`);
}

// Behaviour 180: Root's script changes nothing if a directory in which it writes is a link, belongs to others or is
// writable by others, if a file cannot be written, or if the builder belongs to another user.
describe("root's script refuses, and changes nothing", () => {
  const refused = (why: string, script = installing()) => {
    const before = snapshot(tree);
    const ran = perform(script);
    expect(ran).toMatchObject({ status: 77, stdout: '' });
    expect(ran.stderr).toContain(why);
    expect(ran.stderr).toContain('Nothing was changed.');
    expect(snapshot(tree)).toEqual(before);
  };

  test('a directory of its own that is a link', () => {
    const elsewhere = join(tree, 'elsewhere');
    mkdirSync(elsewhere);
    mkdirSync(paths.nix, { recursive: true });
    symlinkSync(elsewhere, paths.directory);
    refused(`${paths.directory} must be a directory that only root can write to`);
  });

  test.each(['/etc/nix', '/root/.ssh'])('that others can write: %s', (path) => {
    mkdirSync(join(tree, path), { recursive: true });
    chmodSync(join(tree, path), 0o775);
    refused(`${join(tree, path)} must be`);
    chmodSync(join(tree, path), 0o757);
    refused(`${join(tree, path)} must be`);
  });

  // The uname and the ls of macOS are as its manual has them; nobody has run this on a Mac.
  const onMac = (entries: string) => `uname() { echo Darwin; }
ls() { [ "$1" = -lde ] && printf '%s\\n' "drwxr-xr-x+ 3 root  wheel  96 Jan  2 03:04 $2" ${entries}; }
${installing()}`;
  // Behaviour 181: On macOS, root's scripts and `doctor` also check access control lists, because such a list can let
  // others change a directory whose mode is right.
  test.each([
    ['of one user', "' 0: user:ann allow list,add_file,search'"],
    [
      'inherited',
      "' 0: group:everyone deny delete' ' 1: group:staff inherited allow delete_child'",
    ],
    ['for the list itself', "' 0: user:ann allow writesecurity'"],
  ])('that others can write by an access control list: %s', (_, entries) => {
    mkdirSync(paths.nix, { recursive: true });
    refused(`${paths.nix} must be a directory that only root can write to`, onMac(entries));
  });

  test.each(['', "' 0: group:everyone deny delete'", "' 0: user:ann allow list,search,readattr'"])(
    'no list by which nobody can write: %s',
    (entries) => {
      mkdirSync(paths.nix, { recursive: true });
      expect(perform(onMac(entries))).toMatchObject({ status: 0, stderr: '' });
    },
  );

  test('that is another user’s', needs('root'), () => {
    mkdirSync(paths.directory, { recursive: true });
    chownSync(paths.directory, 65534, 65534);
    refused(paths.directory);
  });

  test.each(['ssh', 'machines'] as const)('what is no file in the place of %s', (name) => {
    // Where who runs configure may not look.
    const script = installing();
    mkdirSync(paths[name], { recursive: true });
    chmodSync(dirname(paths[name]), 0o700);
    refused(`${paths[name]} is not a regular file`, script);
  });

  // A shell's variables keep none, so it would not come back.
  test.each(['ssh', 'machines'] as const)(
    'a byte of zero in the file in the place of %s',
    (name) => {
      put(paths[name], '# a\0b\n');
      chmodSync(dirname(paths[name]), 0o700);
      refused(`${paths[name]} contains`);
      put(paths[name], '');
      chmodSync(paths[name], 0o600);
      expect(perform(installing())).toMatchObject({ status: 0, stderr: '' });
    },
  );

  test('a folder that is read-only', needs('root', 'mounts'), () => {
    mkdirSync(paths.nix, { recursive: true });
    const before = snapshot(tree);
    const mount = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && exec /bin/sh -c "$2"';
    const argv = ['-m', 'sh', '-c', mount, 'sh', paths.nix, installing()];
    const { status, stderr } = spawnSync('unshare', argv, { encoding: 'utf8' });
    expect(status).toBe(77);
    expect(stderr).toBe(`${paths.nix} is not writable. Nothing was changed.\n`);
    expect(snapshot(tree)).toEqual(before);
  });

  test('the builder of another user', () => {
    perform(installing());
    request = { ...request, owner: { name: 'ann', uid: 1001, directory: '/other' } };
    refused('another user');
    expect(perform(removing())).toMatchObject({ status: 77 });
  });
});

test('a link in the place of a file is left, and what to do is told', () => {
  const theirs = join(tree, 'dotfiles');
  put(theirs, 'Host *\n');
  mkdirSync(dirname(paths.ssh), { mode: 0o700 });
  symlinkSync(theirs, paths.ssh);
  const ran = perform(installing());
  expect(ran).toMatchObject({ status: 0 });
  expect(ran.stderr).toContain(`${paths.ssh} is a link and was not changed.`);
  expect(readFileSync(theirs, 'utf8')).toBe('Host *\n');
  expect(rootNeeds(request).byHand[0]?.text).toContain(rootLines(paths).ssh.line);
  put(theirs, `${rootLines(paths).ssh.line}\nHost *\n`);
  expect(perform(installing()).stderr).toBe('');
  expect(rootNeeds(request).byHand).toEqual([]);
  expect(perform(removing()).stdout).toContain(rootLines(paths).ssh.line);
});

test('a link in the place of Nix’s list is left by a removal, and what it leads to', () => {
  perform(installing());
  const theirs = join(tree, 'dotfiles');
  renameSync(paths.machines, theirs);
  symlinkSync(theirs, paths.machines);
  const before = readFileSync(theirs, 'utf8');
  expect(perform(removing()).stdout).toContain(`Left ${paths.machines}: it is a link.`);
  expect(readlinkSync(paths.machines)).toBe(theirs);
  expect(readFileSync(theirs, 'utf8')).toBe(before);
});

test('links that a user put where root writes whole files are replaced, and not followed', () => {
  perform(installing());
  const victim = join(tree, 'victim');
  put(victim, 'theirs');
  for (const path of [paths.sshConfig, paths.clientPublicKey, paths.list]) {
    rmSync(path);
    symlinkSync(victim, path);
  }
  perform(installing());
  expect(readFileSync(victim, 'utf8')).toBe('theirs');
});

// Behaviour 186: A file that is a mount point is written in place, and later restored in place.
describe('a file that is a mount point', needs('root', 'mounts'), () => {
  const mounted = (script: string, flags = '') => {
    const mounts = [paths.ssh, paths.machines].map(
      (path) =>
        `mount --bind ${quoted(path)} ${quoted(path)}${flags && ` && mount -o remount,bind${flags} ${quoted(path)}`}`,
    );
    const all = `${mounts.join(' && ')} && exec /bin/sh -c ${quoted(script)}`;
    const { status, stderr } = spawnSync('unshare', ['-m', 'sh', '-c', all], { encoding: 'utf8' });
    return { status, stderr };
  };
  const quoted = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;

  test('is written in place, and given back', () => {
    put(paths.ssh, 'Host *\n', 0o600);
    put(paths.machines, 'ssh://a\n');
    const before = snapshot(tree);
    expect(mounted(installing())).toEqual({ status: 0, stderr: '' });
    expect(needed(rootNeeds(request))).toEqual([]);
    expect(mounted(removing())).toEqual({ status: 0, stderr: '' });
    expect(snapshot(tree)).toEqual(before);
  });

  test('and cannot be written, is named before anything is done', () => {
    put(paths.ssh, 'Host *\n', 0o600);
    put(paths.machines, 'ssh://a\n');
    const before = snapshot(tree);
    const { status, stderr } = mounted(installing(), ',ro');
    expect(status).toBe(77);
    expect(stderr).toContain(`${paths.machines} is not writable. Nothing was changed.`);
    expect(snapshot(tree)).toEqual(before);
  });
});

test('a removal that was cut short is finished by the next', () => {
  put(paths.machines, 'ssh://nix-linuxkit - - 1\nssh://a\n');
  const before = snapshot(tree);
  perform(installing());
  const script = removing();
  for (const next of ['undo "$machines"', 'if [ -L "$ssh"', 'for name in', 'leave '])
    expect(perform(script.replace(`\n${next}`, `\nexit 1\n${next}`)).status).toBe(1);
  perform(removing());
  expect(snapshot(tree)).toEqual(before);
});

// Behaviour 177: Root runs none of our programs and reads none of the user's files, unless an administrator asks for
// it (`--root-part`, `--owner-gone`) or root owns the daemon.
// Behaviour 178: `configure` and `unconfigure` show a script and have root run exactly that script. The script
// contains no private key and reads none.
test('no private key is in what is shown, and none leaves the directory', () => {
  perform(installing());
  const key = readFileSync(paths.clientKey, 'utf8');
  renameSync(paths.clientPublicKey, `${paths.clientPublicKey}.old`);
  expect(installing()).not.toContain(key.split('\n')[1]);
  expect(installing()).not.toContain('PRIVATE');
});

test('no file is named in it that is not root’s own, and the state directory in root’s record alone', () => {
  const { owner, ...rest } = rootRequestIn('/');
  const directory = '/home/ann/state';
  const made = { known: undefined, list: '', renewsKey: true };
  const script = installScript({ ...rest, owner: { ...owner, directory } }, made);
  const isRecord = (line: string) => line === `    "directory": "${directory}"`;
  const lines = script.split('\n').filter((line) => !/^LC_ALL=C PATH=/.test(line));
  expect(lines.filter(isRecord)).toHaveLength(1);
  const named = lines.filter((line) => !isRecord(line)).join('\n');
  const paths = named.match(/(?<![\w.+/%])\/[\w.][\w./-]*/g) ?? [];
  const isRoots = (path: string) =>
    path === '/dev/null' ||
    [rest.paths.nix, dirname(rest.paths.ssh)].some((own) => path.startsWith(own));
  expect(paths.length).toBeGreaterThan(5);
  expect(paths.filter((path) => !isRoots(path))).toEqual([]);
});

test('what others put into the directory of the door stays, and is told', () => {
  request = { ...request, door: 'unix', proxy: 'x' };
  if (!asRoot) request = { ...request, owner: { ...request.owner, uid: process.getuid?.() ?? 0 } };
  perform(installing());
  put(join(paths.door, 'theirs'), 'x');
  request = { ...request, door: 'tcp', proxy: undefined };
  expect(perform(installing()).stderr).toContain(`Left ${paths.door}`);
  expect(readFileSync(join(paths.door, 'theirs'), 'utf8')).toBe('x');
});

// Behaviour 182: If this machine's `sync` can be given a single file, root's script writes each file to the disk
// before renaming it, so that a power cut does not leave an empty file.
test('each file is on the disk before it has its name', () => {
  put(paths.machines, 'ssh://a\n');
  // Its name is a word of the script.
  const bin = mkdtempSync(join(tmpdir(), 'bin-'));
  put(
    join(bin, 'sync'),
    `#!/bin/sh\nfor file; do cat "$file" >"$file.synced"; echo "$file" >>${bin}/list; done\n`,
    0o755,
  );
  const script = installing().replace('PATH=/usr/bin', `PATH=${bin}:/usr/bin`);
  expect(perform(script)).toMatchObject({ status: 0, stderr: '' });
  const files = [paths.installed, paths.knownHosts, paths.sshConfig, paths.list];
  const synced = readFileSync(join(bin, 'list'), 'utf8').trimEnd().split('\n');
  expect(synced).toEqual(expect.arrayContaining([paths.clientKey, paths.clientPublicKey]));
  for (const path of [...files, paths.ssh, paths.machines]) {
    expect(synced).toContain(`${path}.linuxkit-builder`);
    expect(readFileSync(`${path}.linuxkit-builder.synced`, 'utf8')).toBe(
      readFileSync(path, 'utf8'),
    );
  }
  removeTree(bin);
});
