/** `suspend` where the guest does not say at once whether somebody is in it. */
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { suspendCommand } from '../../src/cli/guest/suspend-commands.ts';
import type { CliContext } from '../../src/command/context.ts';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import { openControl, type Commands } from '../../src/supervisor/daemon/control.ts';
import { plainly } from '../../src/system/advice.ts';
import { silent } from '../../src/system/log.ts';
import { calm, nobody } from '../fakes/commands.ts';
import { HastyClock, ready } from '../messages/command-rig.ts';
import { removeTree } from '../remove-tree.ts';

const away = { ...ready, phase: 'away', away: { guest: 'suspended', why: 'asked' } } as const;

let layout: Layout;
beforeEach(() => {
  layout = layoutOf(mkdtempSync(join(tmpdir(), 'silent-')));
  mkdirSync(layout.state, { mode: 0o700 });
});
afterEach(() => removeTree(layout.root));

const nothing = () => undefined;

/** Asks a daemon whose guest is not ready to so many questions; how many there were, and what became of it. */
async function suspend(
  silentFor: number,
  why: { isSilent: true } | { isComing: true } = { isSilent: true },
): Promise<{ asked: number; lines: string[] }> {
  let asked = 0;
  const lines = await suspendAt(
    {
      suspend: () => (++asked > silentFor ? { goes: true } : { goes: false, ...why }),
      status: () => (asked > silentFor ? away : ready),
    },
    '--now',
  );
  return { asked, lines };
}

/** What is said where a daemon answers so. */
async function suspendAt(answers: Partial<Commands>, ...options: string[]): Promise<string[]> {
  const control = await openControl(layout, { ...calm, ...answers }, silent);
  const lines: string[] = [];
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
    await program.parseAsync(['suspend', ...options, '-d', layout.root], { from: 'user' });
    return lines;
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

test('waits for the build for which a guest comes back, too', async () => {
  const asked: string[] = [];
  const say = <T>(what: string, answer: T) => {
    if (asked.at(-1) !== what) asked.push(what);
    return answer;
  };
  let looks = 0;
  let counts = { ...nobody, loggedIn: 1, open: 1 };
  await suspendAt({
    status: () => {
      if (asked.includes('suspend')) return away;
      return ++looks > 10 ? say('back', ready) : say('resuming', { ...ready, phase: 'resuming' });
    },
    drain: () => say('drain', counts),
    door: () => say('door', (counts = nobody)),
    suspend: () => say('suspend', { goes: true }),
  });
  expect(asked).toEqual(['resuming', 'back', 'drain', 'door', 'suspend']);
});

test('fails where a guest does not come back', async () => {
  const status = () => ({ ...ready, phase: 'resuming' }) as const;
  await expect(suspendAt({ status })).rejects.toMatchObject({
    failure: { kind: 'guest-resuming', exit: 75 },
  });
});

test('fails where it never says', async () => {
  await expect(suspend(Infinity)).rejects.toMatchObject({
    failure: { kind: 'guest-not-ready', exit: 75 },
  });
});

test('asks by the connection that holds the door: nobody waits there while a person thinks about it', async () => {
  const seen: (AbortSignal | undefined)[] = [];
  const note = <T>(gone: AbortSignal | undefined, answer: T) => (seen.push(gone), answer);
  const inUse = { loggedIn: 1, builds: 0 };
  await suspendAt({
    status: () => ready,
    drain: ({ gone }) => note(gone, nobody),
    suspend: ({ gone }) => note(gone, { goes: false, inUse }),
  }).catch(() => undefined);
  const [drained, asked] = seen;
  expect(drained).toBeDefined();
  expect(asked).toBe(drained);
  expect(asked?.aborted).toBe(true);
});
