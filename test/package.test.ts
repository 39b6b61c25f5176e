/** What npm makes of a fresh clone, and every command of it where nothing else of the clone is. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  symlinkSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tryProgram } from '../src/system/process/find-program.ts';
import { freePort } from './rig/free-port.ts';
import { removeTree } from './remove-tree.ts';

const checkout = resolve(import.meta.dirname, '..');
const world = mkdtempSync(join(tmpdir(), 'packed für alle-'));
const installed = join(world, 'lib/node_modules/linuxkit-builder');
const state = join(world, 's');
afterAll(() => {
  mirror.close();
  removeTree(world);
});

interface Manifest {
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
}
const readJson = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as unknown;
const manifest = readJson(join(checkout, 'package.json')) as Manifest;
const cloned = execFileSync(
  'git',
  ['-c', 'safe.directory=*', 'ls-files', '-coz', '--exclude-standard'],
  {
    cwd: checkout,
    encoding: 'utf8',
  },
)
  .split('\0')
  .filter((name) => name !== '' && existsSync(join(checkout, name)));

/** By npm's own hand, which builds the program; its two packages are laid beside it, as its install would. */
function packAndInstall(): void {
  const clone = join(world, 'clone');
  for (const name of cloned) {
    mkdirSync(dirname(join(clone, name)), { recursive: true });
    cpSync(join(checkout, name), join(clone, name), { verbatimSymlinks: true });
  }
  symlinkSync(join(checkout, 'node_modules'), join(clone, 'node_modules'));
  const env = {
    ...process.env,
    npm_config_cache: join(world, 'cache'),
    npm_config_offline: 'true',
  };
  const npm = spawnSync('npm', ['pack', '--pack-destination', world], { cwd: clone, env });
  expect(npm.status, String(npm.stderr)).toBe(0);
  removeTree(clone);
  mkdirSync(join(installed, 'node_modules'), { recursive: true });
  const tarball = join(world, `linuxkit-builder-${manifest.version}.tgz`);
  execFileSync('tar', ['-xzf', tarball, '-C', installed, '--strip-components=1']);
  for (const name of Object.keys(manifest.dependencies)) {
    const from = join(checkout, 'node_modules', name);
    cpSync(from, join(installed, 'node_modules', name), { recursive: true });
  }
}

/** Every file below, with what tells whether somebody touched it. */
const files = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((name) => {
      const { mode, mtimeMs } = lstatSync(join(folder, name));
      const isFile = lstatSync(join(folder, name)).isFile();
      const bytes = isFile ? readFileSync(join(folder, name)) : '';
      return `${name} ${mode} ${mtimeMs} ${createHash('sha256').update(bytes).digest('hex')}`;
    });

/** It has nothing, and says so. */
const mirror = createServer((_, answer) => answer.writeHead(404).end());
let [port, mirrorUrl] = [0, ''];
beforeAll(async () => {
  packAndInstall();
  await new Promise<void>((done) => mirror.listen(0, '127.0.0.1', done));
  mirrorUrl = `http://127.0.0.1:${(mirror.address() as AddressInfo).port}`;
  for (const path of [join(world, 'home'), join(world, 'tree/etc/nix')])
    mkdirSync(path, { recursive: true });
  port = await freePort();
});

async function run(
  words: readonly string[],
  { program = 'main', service = 'systemd', path = process.env['PATH'] ?? '' } = {},
) {
  const env = {
    PATH: path,
    HOME: join(world, 'home'),
    LINUXKIT_BUILDER_TREE: join(world, 'tree'),
    LINUXKIT_BUILDER_DIR: state,
    LINUXKIT_BUILDER_SERVICE: service,
  };
  const argv = [join(installed, 'dist', `${program}.js`), ...words];
  const ran = spawn(process.execPath, argv, { env, cwd: world, stdio: ['ignore', 'pipe', 'pipe'] });
  const [code, said, erred] = await Promise.all([
    once(ran, 'close').then(([status]) => status as number | null),
    text(ran.stdout),
    text(ran.stderr),
  ]);
  return { code, said: said + erred };
}

/** Where they are found without a PATH. */
const hasPrograms = tryProgram('mksquashfs', '') !== undefined;

/** Every command in an order in which each has something to do, and how it may end: without image, network and Nix. */
const lives = (): readonly (readonly [words: string, ...codes: readonly number[]])[] => [
  [`configure --no-root --port ${port} -c 1 -m 1024 -s 4 --accelerator tcg`, 0],
  ['configure --dry-run', 0],
  ['up', hasPrograms ? 0 : 69],
  [`image build --quiet --mirror ${mirrorUrl}`, 69],
  [`image update --check --quiet --mirror ${mirrorUrl}`, 69],
  [`upgrade --check --quiet --mirror ${mirrorUrl}`, 69],
  ['image info', 66],
  ['image verify', 66],
  ['daemon --dry-run --json', 0],
  ['start', 0],
  ['wait -t 30', 66],
  ['status', 66],
  ['doctor', 1],
  ['list', 0],
  ['ls', 0],
  ['machines', 0],
  ['ssh-config', 0],
  ['explain /nonexistent.nix', 65, 69],
  ['console', 66],
  ['logs', 0],
  ['ssh -- true', 66],
  ['debug hello.drv', 64],
  ['verdicts', 0],
  ['boot-report', 0],
  ['drain', 0],
  ['undrain', 0],
  ['suspend', 0, 69, 66],
  ['resume', 0, 69, 66],
  ['gc', 69, 66, 75],
  ['trim', 69, 66, 75],
  ['restart', 0],
  ['stop', 0],
  ['disk keep', 0],
  ['disk reset --yes', 0],
  ['keys renew', 0],
  ['completion bash', 0],
  ['man', 0],
  ['unconfigure --dry-run', 0],
  ['uninstall --dry-run', 0],
  ['unconfigure --no-root --purge --yes', 0],
];

// Behaviour 204: An npm package made from a fresh clone contains everything that the program opens, and the licences
// of everything in the package. No command writes into the installed package.
describe('the package', () => {
  test('has the program, its manual page, and every file of the guest', () => {
    const has = (name: string) => existsSync(join(installed, name));
    const isSame = (name: string) =>
      has(name) && readFileSync(join(installed, name)).equals(readFileSync(join(checkout, name)));
    const opened = cloned.filter((name) => /^(src\/image\/(rootfs|keyring)|launchd)\//.test(name));
    expect(opened.length).toBeGreaterThan(20);
    const named = ['LICENSE', 'SECURITY.md', 'docs/behaviour.md', 'src/image/lock.json'];
    expect([...opened, ...named].filter((name) => !isSame(name))).toEqual([]);
    expect(readFileSync(join(installed, 'dist/linuxkit-builder.1'), 'utf8')).toMatch(/^\.TH /);
    expect(['src/main.ts', 'src/image/recipe.ts', 'test', 'scripts'].filter(has)).toEqual([]);
  });

  test('has every file of it that a page in it leads to', () => {
    const pages = readdirSync(installed, { recursive: true, encoding: 'utf8' }).filter(
      (name) => name.endsWith('.md') && !name.includes('node_modules'),
    );
    expect(pages.length).toBeGreaterThan(20);
    const links = pages.flatMap((page) =>
      [...readFileSync(join(installed, page), 'utf8').matchAll(/\]\(([^)\s#]+)/g)]
        .map(([, target = '']) => target)
        .filter((target) => !/^[a-z]+:/.test(target))
        .map((target) => [page, target] as const),
    );
    const isLost = ([page, target]: readonly [string, string]) =>
      !existsSync(join(installed, dirname(page), target));
    expect(links.filter(isLost)).toEqual([]);
  });

  test('has the licence of every package that is built in', () => {
    const lock = readJson(join(checkout, 'package-lock.json')) as {
      packages: Record<string, { dev?: boolean }>;
    };
    const texts = readFileSync(join(installed, 'dist/LICENCES.txt'), 'utf8');
    expect(texts).toMatch(/^execa \S+ \(MIT\)$/m);
    expect(texts).not.toMatch(/^openpgp /m);
    const brought = Object.entries(lock.packages).filter(([, { dev }]) => dev !== true);
    expect(brought.map(([name]) => name)).toEqual([
      '',
      ...Object.keys(manifest.dependencies).map((name) => `node_modules/${name}`),
    ]);
  });

  test('runs every command, and none writes into it', async () => {
    const before = files(installed);
    const aliases = aliasesIn((await run(['--help'])).said);
    expect(aliases).toContain('uninstall');
    const commands = [...commandsIn((await run(['completion', 'bash'])).said), ...aliases];
    expect(commands).toEqual(expect.arrayContaining(['ssh', 'ssh-config', 'image verify']));
    const lines = lives().map(([line]) => line);
    expect(notIn(lines, commands)).toEqual([]);
    expect(notIn(['upgrade --check', 'image info'], ['up', 'image', 'image info'])).toEqual(['up']);
    const wrong: string[] = [];
    for (const [line, ...codes] of lives()) {
      // Without programs it ends at once: with them it would do all of it.
      const isLong = line === 'up';
      const words = isLong && hasPrograms ? ['up', '--help'] : line.split(' ');
      const { code, said } = await run(words, isLong ? { path: '/nonexistent' } : {});
      const isOurs = /bug in linuxkit-builder|Cannot find module/.test(said);
      if (code === null || !codes.includes(code) || isOurs)
        wrong.push(`${line} -> ${code}: ${said}`);
    }
    expect(wrong).toEqual([]);
    const job = await run(['configure', '--dry-run', '--autostart'], { service: 'launchd' });
    expect(job.said).toContain('org.nix-community.linuxkit-builder.plist');
    const legacy = await run(['--dry-run', '-q'], { program: 'nix-linuxkit-configure' });
    expect(legacy.code, legacy.said).toBe(0);
    expect((await run(['--version'])).said).toBe(`${manifest.version}\n`);
    expect(files(installed)).toEqual(before);
    expect(existsSync(state)).toBe(false);
  });
});

/** The commands that people see, as the completion of a shell knows them: `image build` is one. */
const commandsIn = (script: string): string[] =>
  [...script.matchAll(/ command='?([a-z -]+?)'? ;;$/gm)].map(([, command = '']) => command);

/** Their other names, as the program's help has them: `list|ls`. */
const aliasesIn = (help: string): string[] =>
  [...help.matchAll(/^ {2}[a-z-]+\|([a-z-]+) /gm)].map(([, alias = '']) => alias);

/** Which of the commands none of the lines begins with, word by word. */
const notIn = (lines: readonly string[], commands: readonly string[]): string[] =>
  commands.filter((command) => !lines.some((line) => `${line} `.startsWith(`${command} `)));
