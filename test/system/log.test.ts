import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openLog } from '../../src/system/log.ts';

test('debug lines are written while they are wanted, whatever was wanted before', () => {
  const dir = mkdtempSync(join(tmpdir(), 'log-'));
  try {
    const path = join(dir, 'daemon.log');
    let isVerbose = false;
    const log = openLog({ path, isVerbose: () => isVerbose });
    log('debug', 'too-early');
    log('info', 'always');
    isVerbose = true;
    log('debug', 'now', { n: 1 });
    isVerbose = false;
    log('debug', 'too-late');
    const lines = readFileSync(path, 'utf8').trim().split('\n');
    expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
      { level: 'info', event: 'always' },
      { level: 'debug', event: 'now', n: 1 },
    ]);
  } finally {
    rmSync(dir, { recursive: true });
  }
});
