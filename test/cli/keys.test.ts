/** `keys renew`: every key is another, and nothing else. */
import { spawnSync } from 'node:child_process';
import { chownSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { layoutOf } from '../../src/config/layout.ts';
import { systemPathsOf, rootPaths } from '../../src/host/system-paths.ts';
import { tryKernelLock } from '../../src/system/lock/lock.ts';
import { buildProgram, type BuiltProgram } from '../fakes/program.ts';
import { snapshot } from '../setup/configure-rig.ts';
import { needs } from '../needs.ts';
import { nothingToChange } from '../../src/setup/configure/configure.ts';
import { removeTree } from '../remove-tree.ts';

let program: BuiltProgram;
beforeAll(async () => {
  program = await buildProgram();
});
afterAll(() => program[Symbol.dispose]());

let tree: string;
beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), 'keys '));
  const { home, rootHome, etcNix } = systemPathsOf(tree);
  for (const path of [home, rootHome, etcNix]) mkdirSync(path, { recursive: true });
});
afterEach(() => removeTree(tree));

const layout = () => layoutOf(join(tree, 'state'));
const run = (...argv: string[]) =>
  spawnSync(process.execPath, [program.main, ...argv, '-d', layout().root], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] ?? '', HOME: tree, LINUXKIT_BUILDER_TREE: tree },
  });

// Behaviour 185: `keys renew` replaces every key and changes nothing else. It works only while no daemon is running,
// and not for a builder that a nix-darwin or NixOS module declares.
test('are all others, and those who know them are told', needs('root'), () => {
  expect(run('configure', '-c', '1').status).toBe(0);
  const { clientKey, rootKey, hostKey, config } = layout();
  const root = rootPaths(systemPathsOf(tree));
  const keys = [clientKey, rootKey, hostKey, root.clientKey];
  const read = () => keys.map((path) => readFileSync(path, 'utf8'));
  const [before, settings] = [read(), readFileSync(config, 'utf8')];
  expect(run('keys', 'renew')).toMatchObject({ status: 0, stderr: '' });
  const after = read();
  for (const key of before) expect(after).not.toContain(key);
  const host = readFileSync(`${hostKey}.pub`, 'utf8').split(' ')[1] ?? '?';
  for (const path of [layout().knownHosts, root.knownHosts])
    expect(readFileSync(path, 'utf8')).toContain(host);
  const line = Buffer.from(`ssh-ed25519 ${host}`).toString('base64');
  expect(readFileSync(root.list, 'utf8')).toContain(line);
  expect(readFileSync(config, 'utf8')).toBe(settings);
  expect(run('configure').stdout).toBe(`${nothingToChange}\n`);
});

test('stay while a daemon runs with them', () => {
  run('configure', '--no-root', '-c', '1');
  const lock = tryKernelLock(layout().daemonLock);
  const before = snapshot(layout().keys);
  expect(run('keys', 'renew', '--no-root').status).toBe(75);
  expect(snapshot(layout().keys)).toEqual(before);
  lock?.release();
  const renewed = run('keys', 'renew', '--no-root');
  expect(renewed.status).toBe(0);
  expect(renewed.stdout).toContain('rm -f "$key"\nssh-keygen -y');
});

test('are not made where nothing is configured', () => {
  expect(run('keys', 'renew').status).toBe(78);
});

/** As a module's `prepare` does; its owner is who runs this. */
function prepare(): void {
  const settings = join(tree, 'settings.json');
  writeFileSync(settings, '{"cpus": 1}');
  expect(run('prepare', '--settings', settings, '--shared').status).toBe(0);
}

/** What an activation as root tells of it. */
function declare(uid: number): void {
  const { installed } = rootPaths(systemPathsOf(tree));
  mkdirSync(dirname(installed), { recursive: true });
  const owner = { name: '_linuxkit-builder', uid, directory: layout().root };
  const declared = { by: 'nix-darwin', restart: 'sudo restart' };
  writeFileSync(installed, JSON.stringify({ version: 2, owner, declared }));
}

test.each([[[]], [['--no-root']]])('stay where a module declares the builder: %j', (flags) => {
  prepare();
  declare(process.getuid?.() ?? 0);
  const before = snapshot(tree);
  const refused = run('keys', 'renew', ...flags);
  expect(refused).toMatchObject({ status: 77, stdout: '' });
  // The module's way: whose keys go, and what makes others.
  for (const fact of [layout().keys, rootPaths(systemPathsOf(tree)).clientKey, 'sudo restart'])
    expect(refused.stderr).toContain(fact);
  expect(snapshot(tree)).toEqual(before);
});

test('stay for a member of the group too, who is told the way of the module', needs('root'), () => {
  prepare();
  for (const path of [layout().root, layout().state]) chownSync(path, 1234, 0);
  declare(1234);
  const asMember = spawnSync(process.execPath, [program.main, 'keys', 'renew'], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] ?? '', HOME: tree, LINUXKIT_BUILDER_TREE: tree },
  });
  expect(asMember.status).toBe(77);
  expect(asMember.stderr).toContain(layout().keys);
});

// home-manager's module has `prepare` run as well, but root's files are those that configure wrote.
test('are others where a module declares the job alone', needs('root'), () => {
  prepare();
  expect(run('configure').status).toBe(0);
  const { clientKey } = layout();
  const before = readFileSync(clientKey, 'utf8');
  expect(run('keys', 'renew').status).toBe(0);
  expect(readFileSync(clientKey, 'utf8')).not.toBe(before);
});
