/** What a test began ends with the process that ran the test, although nothing is done in that any more. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/system/time/clock.ts';
import { until } from '../../src/system/time/wait.ts';
import { processesNaming } from '../real/command.ts';
import { removeTree } from '../remove-tree.ts';

const checkout = resolve(import.meta.dirname, '../..');

test('a worker that is killed leaves no process of its test, by its words or its place, and no file', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'reap-'));
  const [kept, mine] = [join(dir, 'kept'), join(dir, 'mine')];
  for (const path of [kept, mine]) mkdirSync(path);
  const { outputFiles } = await build({
    stdin: { contents: worker, resolveDir: checkout, loader: 'ts' },
    bundle: true,
    write: false,
    platform: 'node',
    format: 'cjs',
  });
  writeFileSync(join(dir, 'worker.js'), outputFiles[0]?.contents ?? '');
  const child = spawn(process.execPath, [join(dir, 'worker.js'), mine, kept], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    await new Promise((resolve) => child.stdout.once('data', resolve));
    expect(processesNaming(mine).length).toBeGreaterThanOrEqual(2);
    child.kill('SIGKILL');
    const isOver = () => !existsSync(mine) && processesNaming(mine).length === 0;
    await until(isOver, { clock: systemClock, everyMs: 50, timeoutMs: 60_000 });
    expect([existsSync(mine), processesNaming(mine)]).toEqual([false, []]);
    // A neighbour's is left alone.
    expect(processesNaming(kept)).toHaveLength(1);
  } finally {
    for (const { pid } of processesNaming(dir)) process.kill(pid, 'SIGKILL');
    removeTree(dir);
  }
});

const worker = `
import { spawn } from 'node:child_process';
import { reapAfterUs } from './test/rig/reaper.ts';
const [, , mine, kept] = process.argv;
reapAfterUs(mine);
const far = { detached: true, stdio: 'ignore' } as const;
spawn('sh', ['-c', 'sleep 1000; exit 0', mine + '/words'], far);
spawn('sh', ['-c', 'sleep 1001; exit 0', kept + '/words'], far);
spawn('sleep', ['1002'], { ...far, cwd: mine });
console.log('begun');
setInterval(() => undefined, 1000);
`;
