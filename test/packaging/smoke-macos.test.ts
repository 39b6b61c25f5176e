/** scripts/smoke-macos deletes its directory at the end: it has to be one that nobody else can have made. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';

const script = resolve(import.meta.dirname, '../..', 'scripts/smoke-macos');

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
    rmSync(dir, { recursive: true });
  }
});
