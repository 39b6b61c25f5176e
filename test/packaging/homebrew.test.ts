/** The formula: filled from what npm says of a published package, by the real npm and a registry of our own; and its steps, by hand. */
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { layoutOf } from '../../src/config/layout.ts';
import { systemPathsOf } from '../../src/host/system-paths.ts';
import { agentPaths } from '../../src/service/launchd/launch-agent.ts';
import { readStatus } from '../../src/supervisor/status/status.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { until } from '../../src/system/time/wait.ts';
import { freePort } from '../rig/free-port.ts';
import { needs } from '../needs.ts';
import { removeTree } from '../remove-tree.ts';

const root = resolve(import.meta.dirname, '../..');
const world = mkdtempSync(join(tmpdir(), 'brew-'));

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}
const manifestIn = (folder: string) =>
  JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
const { version, dependencies = {} } = manifestIn(root);

/** As npm's registry: what a package is, and its tarball. */
const published = new Map<string, { manifest: Manifest; file: string }>();
const registry = createServer((request, answer) => {
  const path = decodeURIComponent(request.url ?? '').slice(1);
  const found =
    published.get(path) ??
    [...published.values()].find(({ file }) => basename(file) === basename(path));
  if (found === undefined) return answer.writeHead(404).end('{}');
  const bytes = readFileSync(found.file);
  if (path.endsWith('.tgz')) return answer.end(bytes);
  const { name, version } = found.manifest;
  const integrity = `sha512-${createHash('sha512').update(bytes).digest('base64')}`;
  const dist = { tarball: `${address()}/${name}/-/${basename(found.file)}`, integrity };
  const versions = { [version]: { ...found.manifest, dist } };
  answer.setHeader('content-type', 'application/json');
  return answer.end(JSON.stringify({ name, 'dist-tags': { latest: version }, versions }));
});
const address = () => `http://127.0.0.1:${(registry.address() as AddressInfo).port}`;

const env = () => ({
  ...process.env,
  HOME: world,
  npm_config_cache: join(world, 'cache'),
  npm_config_registry: address(),
  npm_config_update_notifier: 'false',
});

async function run(
  program: string,
  argv: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
) {
  const ran = spawn(program, argv, {
    cwd: world,
    env: env(),
    stdio: ['ignore', 'pipe', 'pipe'],
    ...options,
  });
  const [code, out, err] = await Promise.all([
    once(ran, 'close').then(([status]) => status as number | null),
    text(ran.stdout),
    text(ran.stderr),
  ]);
  return { code, out, err };
}

/** By npm's own hand, which builds the program. */
async function publishOurs(folder: string): Promise<void> {
  const ran = await run('npm', ['pack', '--silent', '--pack-destination', world], { cwd: folder });
  expect(ran.code, ran.err).toBe(0);
  const file = join(world, ran.out.trim().split('\n').at(-1) ?? '');
  published.set('linuxkit-builder', { manifest: manifestIn(folder), file });
}

/** One that is installed here, as it is: npm would want the Node that its makers build it with. */
function publishTheirs(name: string): void {
  const folder = join(root, 'node_modules', name);
  const manifest = manifestIn(folder);
  const above = join(world, 'theirs', name);
  cpSync(folder, join(above, 'package'), { recursive: true });
  const file = join(world, `${name}-${manifest.version}.tgz`);
  execFileSync('tar', ['-czf', file, '-C', above, 'package']);
  published.set(name, { manifest, file });
}

beforeAll(async () => {
  await new Promise<void>((done) => registry.listen(0, '127.0.0.1', done));
  const clone = join(world, 'clone');
  const names = execFileSync(
    'git',
    ['-c', 'safe.directory=*', 'ls-files', '-coz', '--exclude-standard'],
    { cwd: root, encoding: 'utf8' },
  );
  for (const name of names
    .split('\0')
    .filter((each) => each !== '' && existsSync(join(root, each)))) {
    mkdirSync(dirname(join(clone, name)), { recursive: true });
    cpSync(join(root, name), join(clone, name), { verbatimSymlinks: true });
  }
  symlinkSync(join(root, 'node_modules'), join(clone, 'node_modules'));
  await publishOurs(clone);
  for (const name of Object.keys(dependencies)) publishTheirs(name);
});
afterAll(() => {
  registry.close();
  registry.closeAllConnections();
  removeTree(world);
});

let formula = '';

const keg = (release: string) => join(world, 'brew/Cellar/linuxkit-builder', release);
const program = join(world, 'brew/bin/linuxkit-builder');

/** As Homebrew would, by std_npm_args: it packs what it unpacked, without scripts, installs that, and links the keg. */
async function install(release: string): Promise<void> {
  const [libexec, source] = [join(keg(release), 'libexec'), join(world, `source-${release}`)];
  mkdirSync(source);
  const file = published.get('linuxkit-builder')?.file ?? '';
  execFileSync('tar', ['-xzf', file, '-C', source, '--strip-components=1']);
  const packed = await run('npm', ['pack', '--silent', '--ignore-scripts'], { cwd: source });
  const tarball = join(source, packed.out.trim());
  const flags = [
    '--global',
    `--prefix=${libexec}`,
    '--ignore-scripts',
    '--build-from-source',
    '--no-audit',
    '--no-fund',
  ];
  const installed = await run('npm', ['install', ...flags, tarball], { cwd: source });
  expect(installed.code, installed.err).toBe(0);
  const link = (target: string, name: string) => {
    mkdirSync(dirname(join(world, name)), { recursive: true });
    rmSync(join(world, name), { force: true });
    symlinkSync(target, join(world, name));
  };
  link(keg(release), 'brew/opt/linuxkit-builder');
  for (const name of readdirSync(join(libexec, 'bin')))
    link(join(libexec, 'bin', name), `brew/bin/${name}`);
}

// Behaviour 219: The Homebrew formula is made from what npm says about the published package, and its steps install
// the program with its two dependencies. The login job survives an upgrade, because it uses the path that Homebrew
// keeps across versions.
describe('the formula', () => {
  test('is filled with what npm says', async () => {
    const made = await run(join(root, 'scripts/release'), ['formula', version]);
    expect(made).toMatchObject({ code: 0, err: '' });
    formula = made.out;
    const file = published.get('linuxkit-builder')?.file ?? '';
    const sum = createHash('sha256').update(readFileSync(file)).digest('hex');
    expect(formula).toContain(
      `url "${address()}/linuxkit-builder/-/linuxkit-builder-${version}.tgz"`,
    );
    expect(formula).toContain(`sha256 "${sum}"`);
    expect(formula).not.toMatch(/@[A-Z0-9]+@/);
    expect(formula).not.toMatch(/^\s*service do/m);
    expect(formula).toContain('linuxkit-builder up');
    const none = await run(join(root, 'scripts/release'), ['formula', '99.0.0']);
    expect(none.code).not.toBe(0);
    expect(none.out).toBe('');
  });

  test('is Ruby', needs({ programs: ['ruby'] }), () => {
    execFileSync('ruby', ['-c'], { input: formula });
  });

  test('installs by its steps what runs, under names that last', async () => {
    await install(version);
    const libexec = join(keg(version), 'libexec');
    expect(readdirSync(join(libexec, 'lib/node_modules')).length).toBe(1);
    expect(
      existsSync(join(libexec, 'lib/node_modules/linuxkit-builder/dist/linuxkit-builder.1')),
    ).toBe(true);
    // The two lines of its own test.
    expect((await run(program, ['--version'])).out.trim()).toBe(version);
    const listed = await run(program, ['list', '--json', '-d', join(world, 'state')]);
    expect(listed.out).toContain('"builders":[]');
  });

  test('survives an upgrade: the job of before starts the next version when the old is deleted', async () => {
    const tree = join(world, 'tree');
    mkdirSync(join(tree, 'etc/nix'), { recursive: true });
    const state = join(world, 'state');
    const tools = join(world, 'tools');
    mkdirSync(tools);
    writeFileSync(join(tools, 'launchctl'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
    const brewed = {
      ...env(),
      PATH: [join(world, 'brew/bin'), tools, process.env['PATH']].join(':'),
      LINUXKIT_BUILDER_TREE: tree,
      LINUXKIT_BUILDER_SERVICE: 'launchd',
    };
    const port = String(await freePort());
    const words = ['configure', '--autostart', '--port', port, '-c', '1', '-m', '1024', '-s', '4'];
    const configured = await run(program, [...words, '-d', state], { env: brewed });
    expect(configured.code, configured.err).toBe(0);
    const { launcher } = agentPaths(systemPathsOf(tree).home);
    const text = readFileSync(launcher, 'utf8');
    expect(text).toMatch(/named_main='\S*brew\/(bin\/linuxkit-builder|opt\/\S*)'/);

    const next = '99.1.0';
    const clone = join(world, 'clone');
    const described = join(clone, 'package.json');
    writeFileSync(described, readFileSync(described, 'utf8').replace(`"${version}"`, `"${next}"`));
    await publishOurs(clone);
    await install(next);
    removeTree(keg(version));
    expect((await run(program, ['--version'])).out.trim()).toBe(next);
    // As launchd would at the next login: the daemon says which release it is, and is told to stop.
    const job = spawn(launcher, { env: brewed, stdio: 'ignore' });
    const ended = once(job, 'close');
    try {
      const layout = layoutOf(state);
      const release = () => {
        const found = readStatus(layout);
        return found.daemon === 'alive' ? found.status.release : undefined;
      };
      await until(() => release() !== undefined, {
        clock: systemClock,
        everyMs: 20,
        timeoutMs: 30_000,
      });
      expect(release()).toBe(next);
    } finally {
      job.kill();
      await ended;
    }
  });
});
