/** Root's scripts for the job at boot, run on a tree of their own; and whose job a file is. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { spawnSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ServiceKind } from '../../src/service/declared-job.ts';
import type { JobValues } from '../../src/service/launchd/launch-agent.ts';
import {
  isJobOf,
  jobRemovalScript,
  jobScript,
  jobUser,
  systemJobPath,
  systemPlist,
  systemUnit,
} from '../../src/service/system-job.ts';
import { removeTree } from '../remove-tree.ts';

const template = readFileSync(
  resolve(import.meta.dirname, '../../launchd/org.nix-community.linuxkit-builder.plist'),
  'utf8',
);
const textFor = (kind: ServiceKind, name: string, state: string): string => {
  const [node, main] = ['/opt/node', '/opt/main.js'];
  const values: JobValues = { node, named: node, main, namedMain: main, state, path: '/bin' };
  return kind === 'systemd'
    ? systemUnit(values, name)
    : systemPlist(template, { ...values, launcher: '/l' }, { name, home: '/home/a' });
};
const kinds: readonly ServiceKind[] = ['launchd', 'systemd'];

let tree: string;
beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), 'boot job-'));
  for (const kind of kinds) mkdirSync(dirname(systemJobPath(kind, tree)), { recursive: true });
  mkdirSync(join(tree, 'usr/bin'), { recursive: true });
});
afterEach(() => removeTree(tree));

/** The tree's own systemctl, which does this. */
const systemctl = (body: string) =>
  writeFileSync(join(tree, 'usr/bin/systemctl'), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
const run = (script: string) => spawnSync('/bin/sh', ['-c', script], { encoding: 'utf8' });
const owner = (name: string) => ({ name, uid: 501, directory: '/srv/a' });
const install = (kind: ServiceKind, name: string) =>
  run(jobScript({ kind, tree, text: textFor(kind, name, '/srv/a') }, owner(name)));

// Behaviour 199: Root's part for the job at boot leaves another user's job as it is. If systemd does not accept the
// unit, nothing of the unit remains.
describe.each(kinds)('with %s', (kind) => {
  test.each(['/srv/b', '/srv/50% of "a" \\ $b', '/srv/<a> & b'])('whose job it is: %s', (state) => {
    const job = { kind, text: textFor(kind, 'alice', state) };
    expect(isJobOf(job, state)).toBe(true);
    for (const other of [`${state}2`, state.slice(0, -1), dirname(state)])
      expect(isJobOf(job, other), other).toBe(false);
    expect(jobUser(job)).toBe('alice');
  });

  test('one user’s script leaves another’s job', () => {
    const path = systemJobPath(kind, tree);
    expect(install(kind, 'alice')).toMatchObject({ status: 0, stderr: '' });
    const theirs = readFileSync(path, 'utf8');
    for (const ran of [install(kind, 'bob'), run(jobRemovalScript({ kind, tree }, 'bob'))])
      expect(ran).toMatchObject({
        status: 77,
        stderr: `${path} belongs to alice. Nothing was changed.\n`,
      });
    expect(readFileSync(path, 'utf8')).toBe(theirs);
    expect(install(kind, 'alice').status).toBe(0);
    expect(run(jobRemovalScript({ kind, tree }, 'alice')).status).toBe(0);
    expect(existsSync(path)).toBe(false);
  });
});

test('a directory that others can write by an access control list of macOS is refused', () => {
  const entry = ' 0: user:ann allow add_file,delete_child';
  const mac = `uname() { echo Darwin; }\nls() { echo "drwxr-xr-x+ $2"; echo '${entry}'; }\n`;
  const text = textFor('launchd', 'alice', '/srv/a');
  const ran = run(`${mac}${jobScript({ kind: 'launchd', tree, text }, owner('alice'))}`);
  expect(ran).toMatchObject({ status: 77, stdout: '' });
  expect(existsSync(systemJobPath('launchd', tree))).toBe(false);
});

describe('where systemd refuses', () => {
  const path = () => systemJobPath('systemd', tree);

  test.each(['daemon-reload', 'enable'])('%s, it says so, and nothing is changed', (command) => {
    const refusing = `[ "$1" != ${command} ] || { echo "no bus for $1" >&2; exit 1; }`;
    systemctl(refusing);
    const first = install('systemd', 'alice');
    expect(first.status).toBe(77);
    expect(first.stderr).toContain(`no bus for ${command}`);
    expect(first.stderr).toContain(`systemd rejected ${path()}. Nothing was changed.`);
    expect(readdirSync(dirname(path()))).toEqual([]);

    systemctl('exit 0');
    expect(install('systemd', 'alice').status).toBe(0);
    const before = readFileSync(path(), 'utf8');
    systemctl(refusing);
    const text = before.replace('RestartSec=10', 'RestartSec=11');
    const script = jobScript({ kind: 'systemd', tree, text }, owner('alice'));
    expect(run(script).status).toBe(77);
    expect(readFileSync(path(), 'utf8')).toBe(before);
  });

  test('a removal says so, and removes', () => {
    expect(install('systemd', 'alice').status).toBe(0);
    systemctl('echo "no bus for $1" >&2; exit 1');
    const ran = run(jobRemovalScript({ kind: 'systemd', tree }));
    expect(ran).toMatchObject({ status: 0, stdout: `Deleted ${path()}\n` });
    expect(ran.stderr).toContain('no bus for disable');
    expect(existsSync(path())).toBe(false);
  });
});
