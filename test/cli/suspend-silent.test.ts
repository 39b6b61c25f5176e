/** `suspend` where the guest does not say at once whether somebody is in it. */
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { suspendCommand } from '../../src/cli/guest/suspend-commands.ts';
import type { CliContext } from '../../src/command/context.ts';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import { openControl } from '../../src/supervisor/daemon/control.ts';
import { plainly } from '../../src/system/advice.ts';
import { silent } from '../../src/system/log.ts';
import { calm } from '../fakes/commands.ts';
import { HastyClock, ready } from '../messages/command-rig.ts';
import { removeTree } from '../remove-tree.ts';

const away = { ...ready, phase: 'away', away: { guest: 'suspended', why: 'asked' } } as const;

let layout: Layout;
beforeEach(() => {
  layout = layoutOf(mkdtempSync(join(tmpdir(), 'silent-')));
  mkdirSync(layout.state, { mode: 0o700 });
});
afterEach(() => removeTree(layout.root));

/** Asks a daemon whose guest is not ready to so many questions; how many there were, and what became of it. */
async function suspend(
  silentFor: number,
  why: { isSilent: true } | { isComing: true } = { isSilent: true },
): Promise<{ asked: number; lines: string[] }> {
  let asked = 0;
  const control = await openControl(
    layout,
    {
      ...calm,
      suspend: () => (++asked > silentFor ? { goes: true } : { goes: false, ...why }),
      status: () => (asked > silentFor ? away : ready),
    },
    silent,
  );
  const lines: string[] = [];
  const nothing = () => undefined;
  const context: CliContext = {
    env: {},
    home: '/nonexistent',
    assets: '/nonexistent',
    isTTY: false,
    clock: new HastyClock(),
    out: (line) => void lines.push(plainly(line)),
    err: nothing,
    onStopSignal: nothing,
    exit: nothing,
    signal: new AbortController().signal,
  };
  try {
    const program = new Command().exitOverride();
    suspendCommand(program.command('suspend'), context);
    await program.parseAsync(['suspend', '--now', '-d', layout.root], { from: 'user' });
    return { asked, lines };
  } finally {
    control.close();
  }
}

// Behaviour 117: Right after a boot, `suspend` waits up to 15 s for the guest to say whether builds are running. If
// the guest does not say, it keeps running and `suspend` fails, unless `--force` is used.
test('asks until the guest says', async () => {
  const { asked, lines } = await suspend(10);
  expect(asked).toBe(11);
  expect(lines).toHaveLength(1);
});

test('asks until a guest that is resumed is back', async () => {
  expect(await suspend(100, { isComing: true })).toMatchObject({ asked: 101 });
  await expect(suspend(Infinity, { isComing: true })).rejects.toMatchObject({
    failure: { kind: 'guest-resuming', exit: 75 },
  });
});

test('fails where it never says', async () => {
  await expect(suspend(Infinity)).rejects.toMatchObject({
    failure: { kind: 'guest-not-ready', exit: 75 },
  });
});
