/** What a configuration has done for a daemon that it declares, and who may ask that daemon. */
import {
  chmodSync,
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
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Command } from 'commander';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { layoutFor, type CliContext } from '../../src/command/context.ts';
import { restartCommand } from '../../src/cli/daemon/restart-command.ts';
import { prepareCommand } from '../../src/cli/setup/prepare-command.ts';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import { directoryChanges } from '../../src/setup/directories.ts';
import { systemPathsOf, rootPaths } from '../../src/host/system-paths.ts';
import { openControl } from '../../src/supervisor/daemon/control.ts';
import { plainly } from '../../src/system/advice.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { Exit, failureOf } from '../../src/system/failure.ts';
import { makePrivate } from '../../src/system/files/files.ts';
import { asker, calm } from '../fakes/commands.ts';
import { buildProgram } from '../fakes/program.ts';
import { needs } from '../needs.ts';
import { removeTree } from '../remove-tree.ts';

let tree: string;
let layout: Layout;
const said: string[] = [];
let context: CliContext;

beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), 'declared-'));
  layout = layoutOf(join(tree, 'lib'));
  said.length = 0;
  context = {
    env: { LINUXKIT_BUILDER_TREE: tree },
    home: join(tree, 'home'),
    assets: tree,
    out: (line) => said.push(plainly(line)),
    err: (line) => said.push(plainly(line)),
    isTTY: false,
    signal: new AbortController().signal,
    clock: systemClock,
    onStopSignal: () => undefined,
    exit: () => undefined,
  };
});
afterEach(() => removeTree(tree));

function prepare(settings: string, ...more: string[]) {
  const file = join(tree, 'settings.json');
  writeFileSync(file, settings);
  return prepareBy(file, ...more);
}
async function prepareBy(file: string, ...more: string[]) {
  const program = new Command().exitOverride();
  prepareCommand(program.command('prepare'), context);
  const argv = ['prepare', '-d', layout.root, '--settings', file, ...more];
  try {
    await program.parseAsync(argv, { from: 'user' });
    return undefined;
  } catch (error) {
    return failureOf(error);
  }
}
const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);

test('it makes settings and keys, and changes no key that is there', async () => {
  expect(await prepare('{"cpus": 1}')).toBeUndefined();
  const [key = ''] = said;
  expect(key).toMatch(/^ssh-ed25519 [A-Za-z0-9+/]{68}$/);
  expect(readFileSync(layout.config, 'utf8')).toBe('{"cpus": 1}');
  expect([mode(layout.root), mode(layout.state), mode(layout.keys)]).toEqual(['700', '700', '700']);
  expect(readFileSync(layout.knownHosts, 'utf8')).toBe(`nix-linuxkit ${key}\n`);
  rmSync(layout.knownHosts);
  expect(await prepare('{"cpus": 1, "maxJobs": 1}')).toBeUndefined();
  expect(readFileSync(layout.knownHosts, 'utf8')).toBe(`nix-linuxkit ${key}\n`);
  expect(said).toEqual([key, key]);
  expect(readFileSync(layout.config, 'utf8')).toContain('maxJobs');
});

test('settings that the daemon would not take change nothing', async () => {
  const failure = await prepare('{"cpus": "many", "colour": 1}');
  expect(failure).toMatchObject({ kind: 'bad-settings' });
  expect(failure?.lines?.length).toBe(2);
  expect(() => statSync(layout.root)).toThrow('ENOENT');
});

test('settings that cannot be read are no bug, and change nothing', async () => {
  for (const name of ['', 'nowhere', 'nowhere/below'])
    expect(await prepareBy(join(tree, name))).toMatchObject({
      kind: 'settings-unread',
      exit: Exit.noInput,
    });
  expect(() => statSync(layout.root)).toThrow('ENOENT');
});

// Behaviour 217: Members of a declared builder's group can control its daemon, and can do nothing else: keys, disk
// and logs belong to the daemon's account. If a member runs a command that needs one of these files, the command
// names the file and its owner.
test('with --shared the socket is the group’s, and nothing else', async () => {
  await prepare('{"cpus": 1}', '--shared');
  expect([mode(layout.root), mode(layout.state), mode(layout.keys)]).toEqual(['710', '710', '700']);
  const listening = await openControl(layout, {} as never, () => undefined);
  expect(mode(layout.control)).toBe('660');
  listening.close();
  // As the daemon does when it starts, with what others may do in its directories.
  for (const path of [layout.root, layout.state]) makePrivate(path);
  expect([mode(layout.root), mode(layout.state)]).toEqual(['710', '710']);
  expect(directoryChanges(layout)).toEqual([]);
  chmodSync(layout.keys, 0o710);
  expect(directoryChanges(layout)).toEqual([{ path: layout.keys, kind: 'make-private' }]);
  chmodSync(layout.state, 0o700);
  const alone = await openControl(layout, {} as never, () => undefined);
  expect(mode(layout.control)).toBe('600');
  alone.close();
});

test(
  'restart asks the daemon of a declared builder, and begins none in its directory',
  needs('root'),
  async () => {
    await prepare('{"cpus": 1}', '--shared');
    const led = join(tree, 'led-here');
    symlinkSync(led, layout.daemonLock);
    for (const path of [layout.root, layout.state]) chownSync(path, 1234, 0);
    const { installed } = rootPaths(systemPathsOf(tree));
    mkdirSync(dirname(installed), { recursive: true });
    const owner = { name: '_linuxkit-builder', uid: 1234, directory: layout.root };
    const declared = { by: 'nix-darwin', restart: 'sudo restart' };
    writeFileSync(installed, JSON.stringify({ version: 2, owner, declared }));
    const program = new Command().exitOverride();
    restartCommand(program.command('restart'), context);
    const failed = await program.parseAsync(['restart'], { from: 'user' }).catch(failureOf);
    expect(failed).toMatchObject({ kind: 'builder-declared' });
    expect(existsSync(led)).toBe(false);
  },
);

test('who has no builder means the declared one, to look and to ask', needs('root'), async () => {
  await prepare('{"cpus": 1}', '--shared');
  for (const path of [layout.root, layout.state]) chownSync(path, 1234, 0);
  const use = (how: 'look' | 'ask' | 'change') => {
    try {
      return layoutFor({}, context, how).root;
    } catch (error) {
      return failureOf(error).kind;
    }
  };
  const usual = join(tree, 'home/.cache/nix-linuxkit-builder');
  expect(use('look')).toBe(usual);
  const { installed } = rootPaths(systemPathsOf(tree));
  mkdirSync(dirname(installed), { recursive: true });
  const owner = { name: '_linuxkit-builder', uid: 1234, directory: layout.root };
  const declared = { by: 'nix-darwin', restart: 'sudo restart' };
  writeFileSync(installed, JSON.stringify({ version: 2, owner, declared }));
  expect(use('look')).toBe(layout.root);
  expect(use('ask')).toBe(layout.root);
  expect(use('change')).toBe('builder-declared');
  expect(said.filter((line) => line.startsWith('Warning'))).toEqual([]);
  // What root did not say is nobody's word.
  writeFileSync(
    installed,
    JSON.stringify({ version: 2, owner: { ...owner, uid: 4321 }, declared }),
  );
  expect(use('look')).toBe(usual);
});

/** The owner of the files, and one of his group, neither of whom this machine knows. */
const [owner, group, member] = [1234, 4321, 54_321];

test('of the files a member is told whose they are', needs('root'), async () => {
  await prepare('{"cpus": 1}', '--shared');
  chmodSync(tree, 0o755);
  const prefix = join(layout.images, 'builder-amd64');
  const lines = ['{"version":1,"begun":"2026-01-01T00:00:00.000Z"}', '{"name":"ready","ms":9000}'];
  mkdirSync(layout.images, { mode: 0o700 });
  for (const path of [layout.log, layout.consoleLog, layout.boots, layout.receipts, layout.status])
    writeFileSync(path, `${lines.join('\n')}\n`, { mode: 0o600 });
  const { installed } = rootPaths(systemPathsOf(tree));
  mkdirSync(dirname(installed), { recursive: true });
  const declared = { by: 'nix-darwin', restart: 'sudo restart' };
  const whose = { name: '_linuxkit-builder', uid: owner, directory: layout.root };
  writeFileSync(installed, JSON.stringify({ version: 2, owner: whose, declared }));
  const status = { ...(await calm.status(asker)), phase: 'booting', image: { prefix } } as const;
  const control = await openControl(layout, { ...calm, status: () => status }, () => undefined);
  for (const path of readdirSync(layout.root, { recursive: true, encoding: 'utf8' }))
    chownSync(join(layout.root, path), owner, group);
  chownSync(layout.root, owner, group);
  using program = await buildProgram();
  try {
    const shown = await asMember(program, 'status');
    expect(shown).toMatchObject({ code: 0, err: '' });
    expect(shown.out).toContain(status.sentence);
    // How far a start is, is told by a file that is the daemon's.
    expect(shown.out).not.toContain(' s so far');
    const unread = [
      ['logs', layout.log],
      ['console', layout.consoleLog],
      ['boot-report', layout.boots],
    ] as const;
    for (const [command, path] of unread) {
      const { code, err } = await asMember(program, command);
      expect(err).toContain(path);
      expect(err).toContain(`sudo -u '#${owner}'`);
      expect(code).toBe(77);
    }
    for (const command of ['list', 'restart', 'drain', 'undrain', 'resume'])
      expect([command, await asMember(program, command)]).toMatchObject([command, { code: 0 }]);
  } finally {
    control.close();
  }
  expect(await asMember(program, 'status')).toMatchObject({ code: 77 });
});

async function asMember({ main }: { readonly main: string }, command: string) {
  const running = spawn(process.execPath, [main, command], {
    stdio: ['ignore', 'pipe', 'pipe'],
    uid: member,
    gid: group,
    env: { PATH: process.env['PATH'], HOME: '/nonexistent', LINUXKIT_BUILDER_TREE: tree },
  });
  let [out, err] = ['', ''];
  running.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  running.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  const [code] = (await once(running, 'close')) as [number | null];
  return { code, out, err };
}
