import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parse, parseBinary } from 'plist';
import { describe, expect, test } from 'vitest';
import {
  agentFiles,
  agentPaths,
  daemonPath,
  label,
  launcherText,
} from '../../src/service/launchd/launch-agent.ts';
import {
  fitForUnit,
  pathUnfit,
  unitFile,
  unitPath,
  unitText,
} from '../../src/service/systemd/systemd-unit.ts';
import { Failed } from '../../src/system/failure.ts';
import { run, succeeded } from '../../src/system/process/child.ts';
import { tryProgram } from '../../src/system/process/find-program.ts';
import { needs } from '../needs.ts';
import { removeTree } from '../remove-tree.ts';

const folder = resolve(import.meta.dirname, '../../launchd');
const read = (name: string) => readFileSync(join(folder, name), 'utf8');
const templates = { plist: read(`${label}.plist`), launcher: read('launcher.sh') };
const values = {
  node: "/opt/it's/node",
  named: "/opt/it's the name/node",
  main: '/Users/Jörg & <Söhne>/dist/main.js',
  namedMain: '/Users/Jörg & <Söhne>/dist/main.js',
  state: '/Users/Jörg & <Söhne>/state dir',
  path: '/opt/a&b/bin:/usr/bin',
};
const [launcher, plist] = agentFiles(agentPaths('/Users/Jörg & <Söhne>'), values, templates);
const textOf = (file: typeof plist) => (file?.content.kind === 'whole' ? file.content.text : '');

async function withFile(text: string, work: (path: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'plist-'));
  try {
    const path = join(directory, 'job.plist');
    writeFileSync(path, text);
    await work(path);
  } finally {
    removeTree(directory);
  }
}

/** What a plist shall say, each with its reason in launchd/README.md. */
const wanted = {
  Label: 'org.nix-community.linuxkit-builder',
  ProgramArguments: [
    '/Users/Jörg & <Söhne>/Library/Application Support/linuxkit-builder/linuxkit-builder',
  ],
  RunAtLoad: true,
  KeepAlive: { SuccessfulExit: false },
  ThrottleInterval: 10,
  ExitTimeOut: 60,
  ProcessType: 'Interactive',
  LimitLoadToSessionType: ['Aqua', 'Background'],
  Umask: 63,
  WorkingDirectory: '/',
  // No StandardOutPath: launchd runs nothing where it cannot open that.
  EnvironmentVariables: {
    PATH: '/opt/a&b/bin:/usr/bin',
    LINUXKIT_BUILDER_DIR: '/Users/Jörg & <Söhne>/state dir',
  },
};

describe('the plist', () => {
  test('is read back by one parser', () => expect(parse(textOf(plist))).toEqual(wanted));

  test('and by libplist', needs({ programs: ['plistutil'] }), () =>
    withFile(textOf(plist), async (path) => {
      const binary = `${path}.bin`;
      const ran = await run('plistutil', ['-i', path, '-f', 'bin', '-o', binary]);
      expect(ran.stderr).toBe('');
      expect(parseBinary(readFileSync(binary))).toEqual(wanted);
    }),
  );

  test('and by Python', needs({ programs: ['python3'] }), () =>
    withFile(textOf(plist), async (path) => {
      const script =
        'import json,plistlib,sys;json.dump(plistlib.load(open(sys.argv[1],"rb")),sys.stdout)';
      const ran = await run('python3', ['-c', script, path]);
      expect(JSON.parse(ran.stdout)).toEqual(wanted);
    }),
  );

  test('is what launchd accepts: 0644 in a directory that only its owner writes', () =>
    expect([plist?.mode, plist?.directoryMode]).toEqual([0o644, 0o755]));

  test('gives launchd more time than a stop takes', () =>
    expect(wanted.ExitTimeOut).toBeGreaterThan(30));
});

describe('the launcher', () => {
  test('carries the name that a person reads in the Login Items', () =>
    expect(launcher?.path).toMatch(/\/linuxkit-builder$/));

  test.each(['sh', 'dash', 'bash'])('is a script for %s', async (shell) => {
    if (tryProgram(shell) === undefined) return;
    const text = launcherText(templates.launcher, { ...values, log: '/nonexistent/log' });
    const ran = await run(shell, ['-n'], { input: text });
    expect([ran.ended, ran.stderr]).toEqual([{ kind: 'exited', code: 0 }, '']);
    const names = await run(shell, [
      '-c',
      `${text.slice(0, text.indexOf('output='))}echo "$named|$node|$main|$state"`,
    ]);
    expect(names.stdout).toBe(`${values.named}|${values.node}|${values.main}|${values.state}\n`);
  });

  test('leaves nothing of the templates', () => {
    for (const file of [launcher, plist]) expect(textOf(file)).not.toMatch(/@[A-Z]+@/);
  });
});

test('the PATH finds the programs and the system, and no more', () => {
  expect(daemonPath(['/opt/homebrew/bin/qemu-system-aarch64', '/usr/bin/ssh'])).toBe(
    '/opt/homebrew/bin:/usr/bin:/bin:/usr/sbin:/sbin',
  );
});

describe('the systemd unit', () => {
  test('says the same as the plist', () => {
    const node = '/a b/100%/no"de$';
    const text = unitText({ ...values, node, named: node });
    expect(text).toContain(
      'ExecStart="/a b/100%%/no\\"de$$" "/Users/Jörg & <Söhne>/dist/main.js" "daemon" "--managed" "--directory" "/Users/Jörg & <Söhne>/state dir"\n',
    );
    for (const line of [
      'Restart=on-failure',
      'TimeoutStopSec=60',
      'UMask=0077',
      'RestartSec=10',
      'RestartPreventExitStatus=69',
      'ConditionFileIsExecutable=/a b/100%%/no"de$',
      'ConditionPathExists=/Users/Jörg & <Söhne>/dist/main.js',
    ])
      expect(text).toContain(`${line}\n`);
  });

  // Behaviour 203: A path that contains a line break is never written to a systemd unit. Instead, another name for
  // the file is used, or `configure` refuses.
  test('has no path with a line break: another name is used, or it is refused', () => {
    const odd = '/a\nExecStartPre=/b';
    const fit = fitForUnit({
      ...values,
      node: `${odd}/node`,
      named: '/n/node',
      path: `${odd}:/bin`,
    });
    expect(fit).toMatchObject({ node: '/n/node', named: '/n/node', path: '/bin' });
    expect(fitForUnit({ ...values, namedMain: `${odd}/main.js` })).toEqual({
      ...values,
      namedMain: values.main,
    });
    const unfit = () => fitForUnit({ ...values, main: odd, namedMain: odd });
    expect(unfit).toThrow(new Failed(pathUnfit(odd)));
  });

  // Behaviour 195: A login job still starts the daemon after an upgrade of Node or of this program has deleted the
  // old version's directory, because the job uses a path that the package manager keeps. If there is no such path, or
  // if it no longer exists, the job uses the path that was valid when the job was made; `doctor` finds a job whose
  // paths are all gone.
  test('runs the program by its lasting name, and without it by the one that it had', () => {
    const tree = mkdtempSync(join(tmpdir(), "it's $HOME-"));
    try {
      const [node, main, namedMain] = ['node', 'main.js', 'lasting.js'].map((name) =>
        join(tree, name),
      ) as [string, string, string];
      writeFileSync(node, '#!/bin/sh\necho "$*"\n', { mode: 0o755 });
      writeFileSync(main, '');
      const job = { node, named: node, main, namedMain, state: '/s', path: '/bin' };
      const [, command = ''] = /^ExecStart=(.*)$/m.exec(unitText(job)) ?? [];
      // As systemd splits it: a shell quotes the same way, but for $$.
      const argv = ['-c', command.replaceAll('$$', '\\$')];
      const ran = () => spawnSync('/bin/sh', argv, { encoding: 'utf8' });
      const told = (program: string) => `${program} daemon --managed --directory /s\n`;
      expect(ran().stdout).toBe(told(main));
      writeFileSync(namedMain, '');
      rmSync(main);
      expect(ran().stdout).toBe(told(namedMain));
      rmSync(namedMain);
      expect(ran()).toMatchObject({ status: 69, stdout: expect.stringContaining(main) as string });
    } finally {
      removeTree(tree);
    }
  });

  test('is accepted by systemd', needs({ programs: ['systemd-analyze'] }), async () => {
    const directory = mkdtempSync(join(tmpdir(), 'Jörgs unit-'));
    try {
      const file = unitFile(unitPath(directory), {
        ...values,
        node: process.execPath,
        named: join(directory, 'node$'),
        main: join(directory, 'main 100%.js'),
        namedMain: join(directory, 'main'),
      });
      const path = join(directory, 'linuxkit-builder.service');
      writeFileSync(path, textOf(file));
      const ran = await run('systemd-analyze', ['verify', '--man=no', path], {
        env: { PATH: process.env['PATH'] ?? '', HOME: directory, SYSTEMD_LOG_LEVEL: 'warning' },
      });
      expect(ran.stderr.split('\n').filter((line) => line.includes('linuxkit-builder'))).toEqual(
        [],
      );
      expect(succeeded(ran)).toBe(true);
    } finally {
      removeTree(directory);
    }
  });
});
