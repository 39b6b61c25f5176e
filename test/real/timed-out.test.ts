import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { Command } from './command.ts';
import { testImage } from './rig.ts';
import { removeTree } from '../remove-tree.ts';

const checkout = resolve(import.meta.dirname, '../..');

test('a test that runs into its limit leaves no daemon, no VM and no file', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'timed-'));
  try {
    const config = join(dir, 'vitest.config.mjs');
    const include = ['test/real/timed-out.fixture.ts'];
    writeFileSync(config, `export default ${JSON.stringify({ test: { include } })};\n`);
    const vitest = join(checkout, 'node_modules/vitest/vitest.mjs');
    const argv = ['run', '--root', checkout, '--config', config, '--disable-console-intercept'];
    const env = { PATH: process.env['PATH'] ?? '', LINUXKIT_TEST_IMAGE: testImage() };
    const child = new Command([process.execPath, vitest, ...argv, '--hookTimeout', '400000'], {
      env,
    });
    expect(await child.ended, child.said).toBe(1);
    expect(child.said).toContain('Test timed out in 500ms');
    const [, place = '', begun] = /DIR (\S+) BEGUN (\d+)/.exec(child.said) ?? [];
    expect(Number(begun), child.said).toBeGreaterThanOrEqual(2);
    expect(child.said).toContain('LEFT 0');
    expect(existsSync(place)).toBe(false);
  } finally {
    removeTree(dir);
  }
});
