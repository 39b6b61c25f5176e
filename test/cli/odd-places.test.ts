/** Homes, users and files as machines have them that nobody tidies: each command says what is in its way, and calls none of it a fault of its own. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseConfig } from '../../src/config/config.ts';
import { layoutOf } from '../../src/config/layout.ts';
import { plainly } from '../../src/system/advice.ts';
import { systemPath, tryProgram } from '../../src/system/process/find-program.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { qemuProgram } from '../../src/vm/qemu/qemu-argv.ts';
import { hostFacts } from '../../src/system/host/host.ts';
import { buildProgram, type BuiltProgram } from '../fakes/program.ts';
import { freePort } from '../rig/free-port.ts';
import { configureRig } from '../setup/configure-rig.ts';
import { needs, type Need } from '../needs.ts';
import { failureOf } from '../../src/system/failure.ts';
import { removeTree } from '../remove-tree.ts';

/** What is said of an exception that nobody expected. */
const bugHint = failureOf(new Error('x')).hint;

let program: BuiltProgram;
beforeAll(async () => {
  program = await buildProgram();
});
afterAll(() => program[Symbol.dispose]());

// Behaviour 32: If something else is in the place of one of our files or directories, or of one of ssh's files,
// `configure` names it and changes nothing.
describe('configure says what is in its way', () => {
  test.each<[string, (file: string) => void, string | undefined]>([
    ['a file in place of ~/.ssh', (file) => writeFileSync(dirname(file), ''), 'cannot-write'],
    [
      'a directory in place of its config',
      (file) => mkdirSync(file, { recursive: true }),
      'not-a-file',
    ],
    [
      'a fifo in place of its config',
      (file) => {
        mkdirSync(dirname(file));
        expect(spawnSync('mkfifo', [file]).status).toBe(0);
      },
      'not-a-file',
    ],
    [
      'a link that leads to itself',
      (file) => {
        mkdirSync(dirname(file));
        symlinkSync('config', file);
      },
      // Where we are root, the file is left alone: a link is somebody's arrangement.
      process.getuid?.() === 0 ? undefined : 'cannot-write',
    ],
    ['a ~/.ssh that leads nowhere', (file) => symlinkSync('none', dirname(file)), 'cannot-write'],
  ])('%s', async (_, spoil, kind) => {
    using rig = configureRig();
    spoil(join(rig.systemPaths.home, '.ssh/config'));
    const { failure } = await rig.run();
    expect(failure?.kind).toBe(kind);
    expect(existsSync(rig.layout.root)).toBe(kind === undefined);
  });

  test('a directory in place of config.json', async () => {
    using rig = configureRig();
    await rig.run('--no-root');
    rmSync(rig.layout.config);
    mkdirSync(rig.layout.config);
    const { failure } = await rig.run('--no-root');
    expect(failure).toMatchObject({ kind: 'cannot-read' });
    expect(failure?.message).toContain(rig.layout.config);
  });
});

test('a byte order mark before the settings is no fault', () => {
  const host = hostFacts(tmpdir());
  expect(parseConfig('\uFEFF{\r\n"port": 25000}\r\n', host)).toMatchObject({
    ok: true,
    config: { port: 25000 },
  });
});

// Behaviour 225: A user without an entry in the system's user database cannot have a builder, and `configure` says
// so. Every other command works for such a user, or says why it cannot, even without the variable `HOME`.
describe('a user without an entry in the user database', needs('root'), () => {
  const run = (env: NodeJS.ProcessEnv, ...argv: string[]) =>
    spawnSync(process.execPath, [program.main, ...argv], {
      encoding: 'utf8',
      uid: 54_321,
      gid: 54_321,
      timeout: 60_000,
      env: { PATH: process.env['PATH'], ...env },
    });

  test.each([['with a HOME'], ['without one']])('%s', (which) => {
    const home = mkdtempSync(join(tmpdir(), 'nobody-'));
    chownSync(home, 54_321, 54_321);
    const env = which === 'with a HOME' ? { HOME: home } : {};
    const directory = ['-d', join(home, 'state')];
    try {
      const configured = run(env, 'configure', '--no-root', ...directory);
      expect(configured.stderr).toContain('User ID 54321 ');
      expect(configured.status).toBe(77);
      expect(readdirSync(home)).toEqual([]);
      for (const command of [
        ['status'],
        ['stop'],
        ['doctor'],
        ['unconfigure', '--purge', '--yes'],
      ]) {
        const ran = run(env, ...command, ...directory);
        expect(`${ran.stdout}${ran.stderr}`).not.toContain(bugHint);
        expect(ran.status).not.toBe(70);
      }
    } finally {
      removeTree(home);
    }
  });
});

test(
  'a home that is read-only is named as that, and not as one that is not there',
  needs('root', 'Linux'),
  () => {
    const mounted = mkdtempSync(join(tmpdir(), 'read-only-'));
    try {
      const command = `mount -t tmpfs -o ro tmpfs '${mounted}' && exec "$0" "$@"`;
      const argv = [program.main, 'configure', '--no-root', '-d', join(mounted, 'a/b/state')];
      const ran = spawnSync('unshare', ['-m', 'sh', '-c', command, process.execPath, ...argv], {
        encoding: 'utf8',
        timeout: 60_000,
        env: { PATH: process.env['PATH'], HOME: mounted, LINUXKIT_BUILDER_TREE: mounted },
      });
      expect(ran.stderr).toContain('read-only');
      expect(ran.status).toBe(77);
    } finally {
      removeTree(mounted);
    }
  },
);

const unseen = ['--map-root-user', '--mount', 'sh', '-c'];
const hideProc = 'mount -t tmpfs none /proc && exec "$0" "$@"';
const hiding: Need = {
  what: 'a Linux on which /proc can be hidden',
  isMet:
    process.platform === 'linux' &&
    spawnSync('unshare', [...unseen, hideProc, 'true']).status === 0,
};
test('a chroot without /proc is named as that', needs(hiding), () => {
  const home = mkdtempSync(join(tmpdir(), 'no-proc-'));
  try {
    const run = (...argv: readonly string[]) => {
      const words = [process.execPath, program.main, ...argv, '-d', join(home, 's')];
      return spawnSync('unshare', [...unseen, hideProc, ...words], {
        encoding: 'utf8',
        timeout: 60_000,
        env: { PATH: process.env['PATH'], HOME: home, LINUXKIT_BUILDER_TREE: home },
      });
    };
    expect(run('configure', '--no-root', '-q').status).toBe(0);
    const daemon = run('daemon');
    expect(daemon.stderr).toContain('mount -t proc');
    expect(daemon.status).toBe(71);
    expect(run('doctor').stdout).not.toContain(bugHint);
  } finally {
    removeTree(home);
  }
});

test('a chroot without /dev is named as that', needs(hiding), () => {
  const home = mkdtempSync(join(tmpdir(), 'no-dev-'));
  try {
    const hide = hideProc.replace('/proc', '/dev');
    const words = [process.execPath, program.main, 'configure', '--no-root', '-d', join(home, 's')];
    const { status, stderr } = spawnSync('unshare', [...unseen, hide, ...words], {
      encoding: 'utf8',
      timeout: 60_000,
      env: { PATH: process.env['PATH'], HOME: home, LINUXKIT_BUILDER_TREE: home },
    });
    expect(stderr).toContain('/dev/null');
    expect(status).toBe(71);
  } finally {
    removeTree(home);
  }
});

/** What runs a program as the first process of a container. */
const asFirst = ['-pf', '--mount-proc', '--kill-child', process.execPath] as const;

// Behaviour 226: A daemon that is the first process of a container is found and stopped like any other. As a
// container's first process, `start` starts no daemon, because the daemon would end with it, and tells you to run
// `daemon` instead.
test(
  'a daemon with pid 1 is stopped by another process of its container',
  needs('root', 'Linux'),
  async () => {
    const home = mkdtempSync(join(tmpdir(), 'container-'));
    const env = { PATH: process.env['PATH'], HOME: home, LINUXKIT_BUILDER_TREE: home };
    const command = (name: string, ...argv: string[]) => [
      program.main,
      name,
      ...argv,
      '-d',
      join(home, 's'),
    ];
    const options = { encoding: 'utf8', timeout: 60_000, env } as const;
    const configure = command('configure', '--no-root', '-q', '--port', String(await freePort()));
    expect(spawnSync(process.execPath, configure, options).status).toBe(0);
    const started = spawnSync('unshare', [...asFirst, ...command('start')], options);
    expect([started.status, started.stderr]).toEqual([64, expect.stringContaining(' daemon')]);
    const container = spawn('unshare', [...asFirst, ...command('daemon')], {
      env,
      stdio: 'ignore',
    });
    const ended = once(container, 'exit');
    try {
      const { daemonPid } = layoutOf(join(home, 's'));
      while (!existsSync(daemonPid)) await systemClock.sleep(20);
      expect(JSON.parse(readFileSync(daemonPid, 'utf8'))).toMatchObject({ pid: 1 });
      const tasks = `/proc/${container.pid}/task/${container.pid}/children`;
      const inside = ['-t', readFileSync(tasks, 'utf8').trim(), '-m', '-p', process.execPath];
      const stopped = spawnSync('nsenter', [...inside, ...command('stop', '--now')], options);
      // With its first process the kernel ends the rest of a container, whoever stopped it too.
      expect([stopped.signal ?? stopped.status, stopped.stderr]).toEqual(['SIGKILL', '']);
      expect(await ended).toEqual([0, null]);
    } finally {
      container.kill('SIGKILL');
      await ended;
      removeTree(home);
    }
  },
);

test('a folder for temporary files that is not there is named where one is needed', async () => {
  using rig = configureRig();
  const file = join(rig.systemPaths.home, '.ssh/config');
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, 'Host *\n  BindInterface none9\n', { mode: 0o600 });
  const before = process.env['TMPDIR'];
  process.env['TMPDIR'] = join(rig.tree, 'none');
  try {
    const { failure } = await rig.run('--no-root');
    expect(failure).toMatchObject({ kind: 'no-temporary-files' });
    expect(plainly(failure?.hint ?? '')).toContain('TMPDIR');
  } finally {
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
  }
  expect((await rig.run('--no-root')).failure).toBeUndefined();
  expect(existsSync(rig.layout.sshConfig)).toBe(true);
  expect(readFileSync(rig.layout.sshConfig, 'utf8')).toContain('BindInterface');
});

// Behaviour 223: A umask that denies you access to your own files, or a working directory that no longer exists, does
// not stop any command.
describe('what a shell hands down', () => {
  const inShell = (script: string) => {
    const home = mkdtempSync(join(tmpdir(), 'handed-down-'));
    const state = join(home, 'a/b/state');
    const begun = (command: string) => `"$NODE" "$MAIN" ${command} -d "$STATE"`;
    const text = script.replace(/\{(.*?)\}/g, (_, command: string) => begun(command));
    const ran = spawnSync('/bin/sh', ['-ec', text], {
      encoding: 'utf8',
      timeout: 60_000,
      env: {
        PATH: process.env['PATH'],
        HOME: home,
        LINUXKIT_BUILDER_TREE: home,
        STATE: state,
        NODE: process.execPath,
        MAIN: program.main,
        MEMORY: 'new WebAssembly.Memory({ initial: 1 })',
      },
    });
    const made = readdirSync(home, { recursive: true, encoding: 'utf8' });
    const modes = new Map(
      made.map((name) => [name, (statSync(join(home, name)).mode & 0o777).toString(8)]),
    );
    removeTree(home);
    return { ...ran, modes };
  };

  test.each(['777', '000', '027'])('a umask of %s', (umask) => {
    const { status, stderr, modes } = inShell(
      `umask ${umask}; {configure --no-root -q} >/dev/null; {machines}; {unconfigure --no-root} >/dev/null`,
    );
    expect(stderr).not.toContain(bugHint);
    expect(status).toBe(0);
    for (const name of ['a/b/state', 'a/b/state/keys']) expect(modes.get(name)).toBe('700');
  });

  const qemu = qemuProgram({ system: process.arch === 'arm64' ? 'aarch64-linux' : 'x86_64-linux' });
  const inSystem: Need = {
    what: "flock, ssh, ps and QEMU in the system's own places",
    isMet: ['flock', 'ssh', 'ps', qemu].every((name) => tryProgram(name, systemPath) !== undefined),
  };
  // Behaviour 224: Without a `PATH`, or with one that names no absolute directory, every command finds its programs
  // where a login shell would.
  test.each(['unset PATH', 'export PATH=', 'export PATH=:', 'export PATH=bin:.'])(
    '%s',
    needs(inSystem),
    (without) => {
      const { status, stdout, stderr } = inShell(
        `${without}; {configure --no-root -q} >/dev/null; {doctor} || :; {daemon --dry-run}`,
      );
      expect(`${stdout}${stderr}`).not.toMatch(/not on the PATH|bug in linuxkit-builder/);
      expect(stdout).toContain('ok    programs');
      expect(status).toBe(0);
    },
  );

  test('a limit on virtual memory, which is named and ends in no stack', needs('Linux'), () => {
    const narrow = '"$NODE" -e "$MEMORY" 2>/dev/null';
    const { status, stdout, stderr } = inShell(
      `ulimit -v 8000000; ${narrow} && exit 0; {image build --mirror http://127.0.0.1:1/debian}`,
    );
    // Where Node takes no more for it, nothing is in the way.
    if (status !== 0) expect([status, stdout]).toEqual([71, '']);
    if (status !== 0) expect(stderr).toContain('ulimit -v');
  });

  test('a current directory that is not there any more', () => {
    const { status, stdout, stderr } = inShell(
      'mkdir "$HOME/gone"; cd "$HOME/gone"; rmdir "$HOME/gone"; {configure --no-root -q} >/dev/null; {doctor} || true',
    );
    expect(`${stdout}${stderr}`).not.toContain('uv_cwd');
    expect(`${stdout}${stderr}`).not.toContain(bugHint);
    expect(stdout).toContain('ok    versions');
    expect(status).toBe(0);
  });
});
