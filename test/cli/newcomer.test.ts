/** Whatever is tried before anything has been set up, the advice is one command. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { run } from '../../src/cli/program.ts';
import { Exit } from '../../src/system/failure.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { saying } from '../fakes/saying.ts';
import { removeTree } from '../remove-tree.ts';

let tree: string;
beforeEach(() => (tree = mkdtempSync(join(tmpdir(), 'newcomer-'))));
afterEach(() => removeTree(tree));

/** All that it says, and its exit code. */
async function tried(...argv: string[]) {
  const said: string[] = [];
  const say = (line: string) => void said.push(line);
  const code = await run(
    argv,
    {
      env: { LINUXKIT_BUILDER_TREE: tree, PATH: process.env['PATH'] },
      home: tree,
      assets: join(import.meta.dirname, '../..'),
      isTTY: false,
      clock: systemClock,
      signal: new AbortController().signal,
      onStopSignal: () => undefined,
      out: say,
      err: say,
    },
    '0',
  );
  return { said, code };
}

// Behaviour 220: If nothing has been set up, every command that needs a builder gives the same advice: run
// `linuxkit-builder up`.
test.each([
  [Exit.config, ['start']],
  [Exit.config, ['restart']],
  [Exit.config, ['daemon']],
  [Exit.unavailable, ['status']],
  [Exit.unavailable, ['wait', '-t', '1']],
  [Exit.unavailable, ['suspend']],
  [Exit.unavailable, ['resume']],
  [Exit.unavailable, ['drain']],
  [Exit.unavailable, ['undrain']],
  [Exit.unavailable, ['gc']],
  [Exit.unavailable, ['trim']],
  [Exit.ok, ['list']],
  [Exit.config, ['machines']],
  [Exit.config, ['ssh-config']],
  [Exit.config, ['ssh']],
  [Exit.config, ['image', 'update', '--mirror', 'http://127.0.0.1:1']],
  [Exit.config, ['upgrade']],
  [Exit.config, ['upgrade', '--check']],
  [Exit.config, ['keys', 'renew']],
  [Exit.noInput, ['logs']],
  [Exit.noInput, ['console']],
])('%d %j', async (expected, argv) => {
  const { said, code } = await tried(...argv);
  const commands = said.join('\n').match(/(?<![\w/-])linuxkit-builder [a-z-]+/g);
  expect([code, commands]).toEqual([expected, ['linuxkit-builder up']]);
});

test('doctor advises it for the settings, and skips what depends on them', async () => {
  const { said } = await tried('doctor', '--json');
  const { findings } = JSON.parse(said.at(-1) ?? '') as { findings: { name: string }[] };
  expect(findings.find(({ name }) => name === 'settings')).toMatchObject({
    kind: 'bad',
    remedy: saying(/linuxkit-builder up$/),
  });
  expect(findings.find(({ name }) => name === 'daemon')).toMatchObject({ kind: 'skipped' });
});
