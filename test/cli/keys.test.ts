/** `keys renew`: every key is another, and nothing else. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

// Behaviour 184: `keys renew` replaces every key and changes nothing else. It works only while no daemon is running.
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
