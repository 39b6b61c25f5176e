/** How our guest ends, run by this machine's sh with stand-ins for all that would end this machine. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished, expect, test } from 'vitest';
import { removeTree } from '../remove-tree.ts';

const script = new URL(
  '../../src/image/rootfs/root/usr/lib/linuxkit-builder/stop',
  import.meta.url,
);

/** Functions, since a shell has its own `kill`: what each was asked is said, and it answers with the number. */
const standIns = (answers: Readonly<Record<string, number>>) =>
  ['say', 'kill', 'timeout', 'fstrim', 'umount', 'mount', 'reboot', 'poweroff', 'pause', 'usleep']
    .map((name) => {
      const says = name === 'pause' || name === 'usleep' ? '' : `echo "${name} $*"; `;
      return `${name}() { ${says}return ${answers[name] ?? 0}; }\n`;
    })
    .join('');

/** What a guest does to end in which these files are, and whose programs answer so. */
function ends(files: readonly string[], answers: Readonly<Record<string, number>> = {}) {
  const root = mkdtempSync(join(tmpdir(), 'stop-script-'));
  onTestFinished(() => removeTree(root));
  for (const file of ['usr/lib/linuxkit-builder/say', ...files]) {
    mkdirSync(join(root, dirname(file)), { recursive: true });
    writeFileSync(join(root, file), '');
  }
  const text = readFileSync(script, 'utf8').replace(
    /(?<=[ "])\/(?=(?:usr|proc|run)\/)/g,
    `${root}/`,
  );
  // Nothing that would pass a stand-in by: this machine's own programs, by a path or by name, are not to end it.
  expect(text.replace('#!/bin/sh\n', '')).not.toMatch(/\b(?:command|exec|busybox|env)\b|bin\//);
  const options = { env: { PATH: root }, encoding: 'utf8' } as const;
  return execFileSync('/bin/sh', ['-c', standIns(answers) + text], options)
    .trim()
    .split('\n');
}

test('a guest ends who is in it, gives back what is free, leaves its disk whole, and powers off', () =>
  expect(ends([])).toEqual([
    'say stage=stop',
    'kill -TERM -1',
    'timeout 2 fstrim /nix',
    'umount /nix',
    'say stage=stopped',
    'poweroff -f',
  ]));

/** Larger than any number of a process: the script takes its own for nobody. */
const somebody = 99_999_999;

test('a guest ends all the same with somebody who stays, on a disk that is slow and in use; it reboots where it is asked to', () =>
  expect(ends([`proc/${somebody}/exe`, 'run/reboot'], { timeout: 124, umount: 1 })).toEqual([
    'say stage=stop',
    'kill -TERM -1',
    'kill -KILL -1',
    'timeout 2 fstrim /nix',
    'umount /nix',
    'mount -o remount,ro /nix',
    'say stage=stopped',
    'reboot -f',
  ]));
