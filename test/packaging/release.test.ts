/** scripts/release in a repository of its own: what a release is, and what is refused before anything is changed. */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { removeTree } from '../remove-tree.ts';

const root = resolve(import.meta.dirname, '../..');
const registry = 'https://registry.example/npm/';
const copied = [
  'package.json',
  'package-lock.json',
  '.npmrc',
  '.gitignore',
  'scripts/release',
  'packaging/nix/lock.nix',
];

let world = '';
const at = (name: string) => join(world, 'release', name);
const git = (...argv: readonly string[]) =>
  execFileSync('git', ['-c', 'safe.directory=*', ...argv], {
    cwd: at(''),
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });

beforeEach(() => {
  world = mkdtempSync(join(tmpdir(), 'release-'));
  for (const name of copied) {
    mkdirSync(dirname(at(name)), { recursive: true });
    cpSync(join(root, name), at(name));
  }
  writeFileSync(at('CHANGELOG.md'), '# Changes\n\n## 9.8.7 (2026-11-29)\n\n- All.\n\n## 9.8.6\n');
  git('init', '-q');
  git('config', 'user.name', 'a');
  git('config', 'user.email', 'a@b');
  git('add', '-A');
  git('commit', '-qm', 'begin');
});
afterEach(() => removeTree(world));

function release(version: string, more: NodeJS.ProcessEnv = {}) {
  const env = {
    ...process.env,
    HOME: world,
    npm_config_cache: join(world, 'cache'),
    npm_config_registry: registry,
    npm_config_update_notifier: 'false',
    ...more,
  };
  const ran = spawnSync(at('scripts/release'), [version], { cwd: at(''), env, encoding: 'utf8' });
  return { code: ran.status, out: ran.stdout, err: ran.stderr };
}

/** With nothing changed, staged, tagged or left behind. */
function expectUntouched(): void {
  expect(git('status', '--porcelain', '--ignored')).toBe('');
  expect(git('log', '--format=%s')).toBe('begin\n');
  expect(git('tag')).toBe('');
}

/** A directory with an npm that says this. */
function npmThatSays(words: string): string {
  const bin = join(world, 'npm of another release');
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, 'npm'), `#!/bin/sh\necho '${words}'\n`, { mode: 0o755 });
  return `${bin}:${process.env['PATH'] ?? ''}`;
}

test('a release holds the address of the registry, and no commit after it does', () => {
  const made = release('9.8.7');
  expect(made.code, made.err).toBe(0);
  const lock = JSON.parse(git('show', 'v9.8.7:package-lock.json')) as {
    version: string;
    packages: Record<string, { resolved?: string }>;
  };
  expect(git('show', 'v9.8.7:packaging/nix/registry')).toBe(`${registry}\n`);
  expect(lock.version).toBe('9.8.7');
  expect(Object.values(lock.packages).some(({ resolved }) => resolved !== undefined)).toBe(false);
  expect(git('ls-files', 'packaging/nix').trim()).toBe('packaging/nix/lock.nix');
  expect(git('status', '--porcelain', '--ignored')).toBe('');
  expect(release('9.8.7').err).toContain('the tag v9.8.7 is there already');
});

const secret = 's3cret';
test.each([
  [`https://ann:${secret}@registry.example/npm/`, 'a name or a password'],
  [`https://registry.example/npm?_authToken=${secret}`, 'a ? or a #'],
  [`https://registry.example/npm#${secret}`, 'a ? or a #'],
  [`https://registry.example/n pm/`, 'a space'],
])('an address that a commit must not hold is refused: %s', (address, why) => {
  const refused = release('9.8.7', { PATH: npmThatSays(address) });
  expect(refused.code).toBe(1);
  expect(refused.err).toContain(why);
  expect(refused.err + refused.out).not.toContain(secret);
  expectUntouched();
});

test('an npm that does not tell a password is not asked to write it', () => {
  const login = `https://ann:${secret}@registry.example/npm/`;
  const refused = release('9.8.7', { npm_config_registry: login });
  expect(refused.code).toBe(1);
  expect(refused.err).toContain('a name or a password');
  expect(refused.err + refused.out).not.toContain(secret);
  expectUntouched();
});

test.each(['1.2.3-rc.1', '1.2.3+4', '01.2.3', '1.2', '1.2.3.4', '1.2.x', '1.2.3\n4'])(
  'only X.Y.Z is a version to release: not %j',
  (version) => {
    const refused = release(version);
    expect(refused.code).toBe(1);
    expect(refused.err).toContain('is no version X.Y.Z');
    expectUntouched();
  },
);

test.each(['9.8.5', '9.8.70', '9.8.8'])('no release without its changes: %s', (version) => {
  const refused = release(version);
  expect(refused.code).toBe(1);
  expect(refused.err).toContain(`CHANGELOG.md has no section of ${version}`);
  expectUntouched();
});

test.each([
  ['the first', 1],
  ['the second', 2],
])('what a hook refuses is put back: %s commit', (_, count) => {
  const calls = join(world, 'calls');
  const hook = `#!/bin/sh\necho >>'${calls}'\n[ "$(wc -l <'${calls}')" -lt ${count} ]\n`;
  writeFileSync(at('.git/hooks/pre-commit'), hook, { mode: 0o755 });
  const refused = release('9.8.7');
  expect(refused.code).toBe(1);
  expect(refused.err).toContain('the checkout is as it was before');
  expect(readFileSync(calls, 'utf8')).toHaveLength(count);
  expectUntouched();
  rmSync(at('.git/hooks/pre-commit'));
  expect(release('9.8.7').code).toBe(0);
  expect(existsSync(at('packaging/nix/registry'))).toBe(false);
});

// Somebody who evaluates the package has it, and has told git to ignore it.
test.each(['the first commit fails', 'the second commit fails', 'the release is made'])(
  "somebody's own registry file stays as it is when %s",
  (what) => {
    writeFileSync(at('.git/info/exclude'), 'packaging/nix/registry\n');
    const own = 'https://mine.example/npm/\n\n';
    writeFileSync(at('packaging/nix/registry'), own, { mode: 0o600 });
    const refused = { 'the first commit fails': 'begin', 'the second commit fails': 'Release' };
    const isLast = `git log -1 --format=%s | grep -q '^${refused[what as keyof typeof refused]}'`;
    if (what in refused)
      writeFileSync(at('.git/hooks/pre-commit'), `#!/bin/sh\n! ${isLast}\n`, { mode: 0o755 });
    const copies = join(world, 'copies');
    mkdirSync(copies);
    expect(release('9.8.7', { TMPDIR: copies }).code === 0).toBe(what === 'the release is made');
    expect(readFileSync(at('packaging/nix/registry'), 'utf8')).toBe(own);
    expect(statSync(at('packaging/nix/registry')).mode & 0o777).toBe(0o600);
    expect(readdirSync(copies)).toEqual([]);
    if (what === 'the release is made')
      expect(git('show', 'v9.8.7:packaging/nix/registry')).toBe(`${registry}\n`);
  },
);
