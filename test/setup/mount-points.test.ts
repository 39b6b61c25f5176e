/** Files that are mount points, as in a container: none can be replaced, and all can be written. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { layoutOf } from '../../src/config/layout.ts';
import { systemPathsOf, rootPaths } from '../../src/host/system-paths.ts';
import { buildProgram, type BuiltProgram } from '../fakes/program.ts';
import { snapshot } from './configure-rig.ts';
import { needs } from '../needs.ts';
import { emptiedDirectory } from '../../src/setup/unconfigure/unconfigure.ts';
import { removeTree } from '../remove-tree.ts';

let program: BuiltProgram;
beforeAll(async () => {
  program = await buildProgram();
});
afterAll(() => program[Symbol.dispose]());

const quoted = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;

// Behaviour 186: A file that is a mount point is written in place, and later restored in place.
describe('what is a mount point', needs('root', 'mounts'), () => {
  const tree = mkdtempSync(join(tmpdir(), 'mounted '));
  afterAll(() => removeTree(tree));
  const root = rootPaths(systemPathsOf(tree));
  const layout = layoutOf(join(tree, 'state'));

  /** Runs a command where those files are mount points. */
  function run(mounted: readonly string[], ...argv: string[]) {
    const mounts = mounted.map((path) => `mount --bind ${quoted(path)} ${quoted(path)}`);
    const command = [process.execPath, program.main, ...argv].map(quoted).join(' ');
    const script = [...mounts, `exec ${command}`].join(' && ');
    const env = { PATH: process.env['PATH'] ?? '', HOME: tree, LINUXKIT_BUILDER_TREE: tree };
    return spawnSync('unshare', ['-m', 'sh', '-c', script], { encoding: 'utf8', env });
  }

  test('is written in place by configure, and given back by unconfigure', () => {
    for (const path of [root.ssh, root.machines])
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(root.ssh, 'Host *\n', { mode: 0o600 });
    writeFileSync(root.machines, 'ssh://a\n');
    const before = snapshot(tree);
    const others = [root.ssh, root.machines];
    const first = run(others, 'configure', '-d', layout.root, '-c', '1');
    expect([first.status, first.stderr]).toEqual([0, '']);
    const changed = run(
      [...others, layout.config],
      'configure',
      '-d',
      layout.root,
      '--port',
      '24999',
    );
    expect([changed.status, changed.stderr]).toEqual([0, '']);
    expect(JSON.parse(readFileSync(layout.config, 'utf8'))).toEqual({ cpus: 1, port: 24999 });
    const undone = run(others, 'unconfigure', '-d', layout.root, '--purge', '-y');
    expect([undone.status, undone.stderr]).toEqual([0, '']);
    expect(snapshot(tree)).toEqual(before);
  });

  test('is emptied by a purge where it is the state directory, and stays', () => {
    mkdirSync(layout.root, { mode: 0o700 });
    expect(run([layout.root], 'configure', '-d', layout.root).status).toBe(0);
    const { status, stdout, stderr } = run(
      [layout.root],
      'unconfigure',
      '-d',
      layout.root,
      '--purge',
      '-y',
    );
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toContain(emptiedDirectory(layout.root));
    expect(readdirSync(layout.root)).toEqual([]);
  });
});
