/** What can be held of scripts/smoke-macos without a Mac. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { removeTree } from '../remove-tree.ts';

const script = resolve(import.meta.dirname, '../..', 'scripts/smoke-macos');

// It deletes its directory at the end.
test('scripts/smoke-macos takes no directory that somebody has put in its way', () => {
  const dir = mkdtempSync(join(tmpdir(), 'smoke-'));
  try {
    for (const name of ['bin', 'shared', 'theirs']) mkdirSync(join(dir, name));
    writeFileSync(join(dir, 'theirs/precious'), 'kept');
    // Without Node nothing of it works, and it is at its end at once.
    writeFileSync(join(dir, 'bin/node'), '#!/bin/sh\nexit 1\n');
    chmodSync(join(dir, 'bin/node'), 0o755);
    // The names that it could be guessed to take have its process id in them, which exec keeps.
    const plant =
      'for name in lk lk-smoke m; do ln -s "$1" "$SMOKE_DIR/$name.$$"; done; shift; exec "$@"';
    const argv = ['-c', plant, 'sh', join(dir, 'theirs'), script, 'qemu'];
    const env = {
      PATH: `${join(dir, 'bin')}:${process.env['PATH'] ?? ''}`,
      HOME: dir,
      SMOKE_DIR: join(dir, 'shared'),
      SMOKE_ASK: 'no',
    };
    const ran = spawnSync('/bin/sh', argv, { env, encoding: 'utf8', timeout: 60_000 });
    expect(ran.stdout).toContain('FAILED   configure');
    expect(ran.status).toBe(1);
    expect(readFileSync(join(dir, 'theirs/precious'), 'utf8')).toBe('kept');
  } finally {
    removeTree(dir);
  }
});

// Where a process has its whole name, and where it has the 15 characters that Linux keeps.
test.each([
  ['/opt/homebrew/bin/qemu-system-aarch64', 'qemu-system-aarch64', true],
  ['qemu-system-x86', 'qemu-system-x86_64', true],
  ['qemu-system-aar', 'qemu-system-x86_64', false],
  ['vfkit', 'vfkit', true],
  ['node', 'vfkit', false],
])('%s is what ps says of %s: %j', (called, program, isThat) => {
  const step = /^is_program\(\) .*$/m.exec(readFileSync(script, 'utf8'))?.[0] ?? '';
  const before = 'ps() { echo "$called"; }; pid_of() { echo 1; }; vm=vm called=$1 program=$2';
  const argv = ['-c', `${before}\n${step}\nis_program`, 'sh', called, program];
  expect(spawnSync('/bin/sh', argv)).toMatchObject({ status: isThat ? 0 : 1 });
});

test('scripts/smoke-macos fills in all of the launcher and of the plist', () => {
  const dir = mkdtempSync(join(tmpdir(), 'smoke-'));
  try {
    const steps = /^by_launchd\(\) \{\n.*?^\}\n/ms.exec(readFileSync(script, 'utf8'))?.[0] ?? '';
    // plutil stands before launchctl: nothing is loaded.
    const before = `plutil() { return 1; }; dir=$1 label=org.example.job LINUXKIT_BUILDER_TREE=$1/tree checkout=$2; cd "$2"\n`;
    const argv = ['-c', `${before}${steps}by_launchd`, 'sh', dir, resolve(script, '../..')];
    const ran = spawnSync('/bin/sh', argv, { encoding: 'utf8' });
    expect(ran).toMatchObject({ status: 1, stderr: '' });
    for (const name of ['launcher', 'org.example.job.plist'])
      expect(readFileSync(join(dir, name), 'utf8').match(/@[A-Z]+@/g), name).toBeNull();
  } finally {
    removeTree(dir);
  }
});
