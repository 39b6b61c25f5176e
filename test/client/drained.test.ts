/** What the commands say beside a builder that was drained. */
import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { run } from '../../src/cli/program.ts';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import { openControl } from '../../src/supervisor/daemon/control.ts';
import { silent } from '../../src/system/log.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { asker, calm } from '../fakes/commands.ts';
import { removeTree } from '../remove-tree.ts';

let tree: string;
let layout: Layout;
beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), 'drained-'));
  layout = layoutOf(join(tree, 'state'));
  mkdirSync(layout.state, { recursive: true, mode: 0o700 });
  writeFileSync(layout.config, '{}', { mode: 0o600 });
  writeFileSync(layout.sshConfig, '');
  mkdirSync(join(tree, 'bin'));
  writeFileSync(join(tree, 'bin/ssh'), `#!/bin/sh\necho >'${tree}/ran'\n`, { mode: 0o755 });
});
afterEach(() => removeTree(tree));

/** One command beside a daemon whose door refuses everybody, or nobody. */
async function tried(phase: 'ready' | 'away', isDrained: boolean, ...argv: string[]) {
  const door = { port: 1, draining: false, ...(isDrained && { refusing: true as const }) };
  const status = { ...(await calm.status(asker)), phase, door };
  const control = await openControl(layout, { ...calm, status: () => status }, silent);
  const lines: string[] = [];
  const say = (line: string) => void lines.push(line);
  try {
    const context = {
      env: {
        LINUXKIT_BUILDER_TREE: tree,
        LINUXKIT_BUILDER_DIR: layout.root,
        PATH: join(tree, 'bin'),
      },
      home: tree,
      assets: tree,
      isTTY: false,
      clock: systemClock,
      signal: new AbortController().signal,
      onStopSignal: () => undefined,
      out: say,
      err: say,
    };
    const code = await run(argv, context, '0');
    return { code, said: lines.join('\n') };
  } finally {
    control.close();
  }
}

// Behaviour 108: `list` shows that a builder is drained. `doctor`, `explain`, `wait` and `ssh` say so, too, and name
// `undrain`.
// Behaviour 109: On a drained builder, `wait` and `ssh` exit with 75. `doctor` does not count the draining as a
// fault, and leaves out the checks that log in.
test.each(['ready', 'away'] as const)('wait, with a guest that is %s', async (phase) => {
  const { code, said } = await tried(phase, true, 'wait', '-t', '5');
  expect([code, said]).toEqual([75, expect.stringContaining('linuxkit-builder undrain')]);
  expect((await tried(phase, false, 'wait', '-t', '5')).code).toBe(0);
});

test('ssh, which does not ask the door for what it refuses', async () => {
  const { code, said } = await tried('ready', true, 'ssh', '--', 'true');
  expect([code, said]).toEqual([75, expect.stringContaining('linuxkit-builder undrain')]);
  expect(existsSync(join(tree, 'ran'))).toBe(false);
});

test('list, for people and for programs', async () => {
  expect((await tried('ready', true, 'list')).said).toContain('ready, drained ');
  const drainedIn = async (isDrained: boolean) => {
    const { said } = await tried('ready', isDrained, 'list', '--json');
    return (JSON.parse(said) as { builders: object[] }).builders;
  };
  expect(await drainedIn(true)).toMatchObject([{ phase: 'ready', drained: true }]);
  expect((await drainedIn(false))[0]).not.toHaveProperty('drained');
});
