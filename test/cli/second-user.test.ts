/** A user who finds that another one has set up the builder of the machine. */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { layoutOf } from '../../src/config/layout.ts';
import { rootPaths } from '../../src/host/system-paths.ts';
import { buildProgram, type BuiltProgram } from '../fakes/program.ts';
import { needs } from '../needs.ts';
import { removeTree } from '../remove-tree.ts';

const home = '/nonexistent';
let program: BuiltProgram;
let tree: string;
/** Root's. */
let directory: string;
beforeAll(async () => {
  program = await buildProgram();
});
afterAll(() => program[Symbol.dispose]());
beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), 'second-'));
  chmodSync(tree, 0o755);
  mkdirSync(join(tree, home), { recursive: true });
  directory = join(tree, 'builder');
  mkdirSync(directory, { mode: 0o700 });
  writeFileSync(layoutOf(directory).config, '{}');
  belongsTo(0);
});
afterEach(() => removeTree(tree));

/** By what root keeps of it. */
function belongsTo(uid: number): void {
  const systemPaths = { etcNix: join(tree, 'etc/nix'), rootHome: join(tree, 'root') };
  const { installed } = rootPaths(systemPaths);
  mkdirSync(dirname(installed), { recursive: true });
  const owner = { name: 'ann', uid, directory };
  writeFileSync(installed, JSON.stringify({ version: 2, owner }));
}

/** As nobody. */
function tried(...argv: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program.main, ...argv], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], HOME: join(tree, home), LINUXKIT_BUILDER_TREE: tree },
    uid: 65534,
    gid: 65534,
  });
  return { code: status, out: stdout, said: `${stdout}${stderr}` };
}

// Behaviour 206: If this machine's builder belongs to another user, commands say that you can already use it, and do
// not tell you to set one up. `up` refuses before it makes anything.
// Behaviour 207: `list` shows another user's builder; if you are not allowed to look into its directory, it shows the
// phase `unknown`.
describe('beside a builder of root', needs('root'), () => {
  test('up makes nothing', () => {
    const { code, said } = tried('up');
    expect(code).toBe(77);
    expect(said).toMatch(/belongs to ann .*\n.*already use it/);
    expect(said).not.toContain('==>');
    expect(existsSync(join(tree, home, '.cache'))).toBe(false);
  });

  test.each([
    [69, ['status']],
    [69, ['wait']],
    [69, ['drain']],
    [66, ['logs']],
    [78, ['machines']],
    [78, ['ssh']],
    [78, ['start']],
    [1, ['doctor']],
  ])('%d %j', (expected, argv) => {
    const { code, said } = tried(...argv);
    expect(code).toBe(expected);
    expect(said).toContain("You can already use this machine's builder, which belongs to ann");
    expect(said).not.toContain('linuxkit-builder up');
    belongsTo(65534);
    expect(tried(...argv).said).toContain('linuxkit-builder up');
  });

  test('list shows it', () => {
    const { out } = tried('list', '--json');
    expect(JSON.parse(out)).toEqual({
      version: 1,
      builders: [{ directory, known: true, phase: 'unknown' }],
    });
    expect(tried('list').out).toMatch(/^DIRECTORY.*\n.*builder +unknown +.* registered\n$/);
    chmodSync(directory, 0o755);
    rmSync(layoutOf(directory).config);
    expect(tried('list').out).toContain('You can already use');
  });
});
