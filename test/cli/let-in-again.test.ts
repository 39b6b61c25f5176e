/** A command that waits for builds and then fails leaves a door that is open: its client would be held for good. */
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { CliContext } from '../../src/command/context.ts';
import { suspendCommand } from '../../src/cli/guest/suspend-commands.ts';
import { restartCommand } from '../../src/cli/daemon/restart-command.ts';
import { stopCommand } from '../../src/cli/daemon/run-commands.ts';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import { openControl, type Commands } from '../../src/supervisor/daemon/control.ts';
import type { Control } from '../../src/supervisor/daemon/control-socket.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { failureOf, type Failure } from '../../src/system/failure.ts';
import { calm, nobody } from '../fakes/commands.ts';
import { removeTree } from '../remove-tree.ts';

let layout: Layout;
let control: Control;
let asked: string[];
/** Of the connection that holds the door. */
let gone: AbortSignal | undefined;
beforeEach(async () => {
  layout = layoutOf(mkdtempSync(join(tmpdir(), 'again-')));
  mkdirSync(layout.state);
  asked = [];
  gone = undefined;
  const cannot = () => {
    throw new Error('not now');
  };
  const todo: Commands = {
    ...calm,
    drain: (asker) => {
      asked.push('drain');
      gone = asker.gone;
      return nobody;
    },
    undrain: () => (asked.push('undrain'), {}),
    suspend: cannot,
    restart: cannot,
  };
  control = await openControl(layout, todo, () => undefined);
  // No lock, so that a stop cannot tell whether anything runs.
  mkdirSync(layout.daemonLock);
});
afterEach(() => {
  control.close();
  removeTree(layout.root);
});

async function failureIn(command: string): Promise<Failure> {
  const program = new Command().exitOverride();
  const nothing = () => undefined;
  const context: CliContext = {
    env: {},
    home: '/nonexistent',
    assets: '/nonexistent',
    isTTY: false,
    clock: systemClock,
    out: nothing,
    err: nothing,
    onStopSignal: nothing,
    exit: nothing,
    signal: new AbortController().signal,
  };
  stopCommand(program.command('stop'), context);
  restartCommand(program.command('restart'), context);
  suspendCommand(program.command('suspend'), context);
  return program.parseAsync([command, '-d', layout.root], { from: 'user' }).then(
    () => expect.fail(`${command} cannot succeed`),
    (error: unknown) => failureOf(error),
  );
}

// Behaviour 105: If `stop`, `restart` or `suspend` fails after it has waited for builds, the door lets in new builds
// again.
test.each([
  ['suspend', 'daemon-refused'],
  ['restart', 'daemon-refused'],
  ['stop', undefined],
])('%s', async (command, kind) => {
  const failure = await failureIn(command);
  if (kind !== undefined) expect(failure).toMatchObject({ kind });
  expect(asked).toEqual(['drain', 'undrain']);
  // A daemon of this release lets in new builds when he who held the door is gone, as his process is not yet.
  while (gone?.aborted !== true) await new Promise((done) => setImmediate(done));
});
