import { mkdirSync, mkdtempSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { run } from '../../src/cli/program.ts';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import { openControl, type Asker, type Commands } from '../../src/supervisor/daemon/control.ts';
import type { Control } from '../../src/supervisor/daemon/control-socket.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { Exit, Failed } from '../../src/system/failure.ts';
import { silent } from '../../src/system/log.ts';
import { asker, calm, nobody } from '../fakes/commands.ts';
import { startingGuest } from '../../src/command/announce-slow.ts';
import { removeTree } from '../remove-tree.ts';

const GiB = 1024 ** 3;
let layout: Layout;
let control: Control | undefined;
beforeEach(() => {
  layout = layoutOf(mkdtempSync(join(tmpdir(), 'give-')));
  mkdirSync(layout.state);
  writeFileSync(layout.disk, Buffer.alloc(64 * 1024 ** 2, 1));
});
afterEach(() => {
  control?.close();
  removeTree(layout.root);
});

/** Runs a command beside a daemon that answers so; what both said, and the daemon was asked. */
async function command(name: string, answers: Partial<Commands> = {}, ...argv: string[]) {
  const asked: string[] = [];
  const heard = Object.fromEntries(
    Object.entries({ ...calm, ...answers }).map(([command, answer]) => [
      command,
      (asker: Asker) => {
        if (command !== 'status' && command !== 'door') asked.push(command);
        return (answer as (asker: Asker) => unknown)(asker);
      },
    ]),
    // One cast: the same answers, by the same names.
  ) as unknown as Commands;
  control = await openControl(layout, heard, silent);
  const said: string[] = [];
  const world = {
    env: { LINUXKIT_BUILDER_DIR: layout.root },
    home: layout.root,
    assets: layout.root,
    isTTY: false,
    clock: systemClock,
    signal: new AbortController().signal,
    out: (line: string) => void said.push(line),
    err: (line: string) => void said.push(`! ${line}`),
    onStopSignal: () => undefined,
  };
  const code = await run([name, ...argv], world, '0');
  return { code, asked, said };
}

const collected = { isDone: true, diskBytes: 4 * GiB, diskFreeBytes: 3 * GiB };
/** The disk has a hole where all was. */
const punch = () => {
  truncateSync(layout.disk, 0);
  truncateSync(layout.disk, 64 * 1024 ** 2);
};

// Behaviour 129: If the guest is away, `gc` and `trim` bring it back, and say so. `gc` waits until no clients are in
// the guest, and what it frees returns to the host.
describe('gc', () => {
  test('holds new connections, deletes, and says what store and disk take then', async () => {
    const gc = () => (punch(), collected);
    expect(await command('gc', { gc })).toEqual({
      code: 0,
      // The daemon lets in whoever waits: the command may have been killed by then.
      asked: ['resume', 'drain', 'gc'],
      said: [expect.stringMatching(/ 1\.00 GiB; .* 0\.00 GiB .*\(0\.06 GiB before\)\.$/)],
    });
  });

  test('asks by the hold that it has on the door, which is then the daemon’s', async () => {
    const gone: (AbortSignal | undefined)[] = [];
    const drain = (asker: Asker) => (gone.push(asker.gone), nobody);
    const gc = (asker: Asker) => (gone.push(asker.gone), collected);
    expect((await command('gc', { drain, gc })).code).toBe(0);
    expect(gone).toHaveLength(2);
    expect(gone[0]).toBeInstanceOf(AbortSignal);
    expect(gone[1]).toBe(gone[0]);
  });

  test('that a build has ended says so, and how to go on', async () => {
    const gc = () => ({ ...collected, isDone: false });
    const { code, said } = await command('gc', { gc });
    expect([code, said.at(-1)]).toEqual([Exit.temporary, expect.stringContaining('To continue:')]);
  });

  test('deletes nothing while somebody is in, and lets new connections in again', async () => {
    const drain = () => ({ ...nobody, open: 1, loggedIn: 1 });
    const busy = { drain, door: drain, guest: () => ({ builds: 1 }) };
    const { code, asked, said } = await command('gc', busy, '--timeout', '0.01');
    expect(code).toBe(Exit.temporary);
    expect(asked).not.toContain('gc');
    expect(asked.at(-1)).toBe('undrain');
    expect(said.join('\n')).toContain('so nothing was deleted');
  });

  test('lets new connections in again where the guest could not', async () => {
    const failure = { kind: 'guest-in-use', message: 'No.', hint: 'h', exit: Exit.temporary };
    const { code, asked } = await command('gc', { gc: () => Promise.reject(new Failed(failure)) });
    expect(code).not.toBe(0);
    expect(asked.at(-1)).toBe('undrain');
  });
});

describe('trim', () => {
  test('brings back a guest that is away, says so, and says what the disk takes then', async () => {
    let isAway = true;
    const status = () => ({ ...statusOf(isAway ? 'away' : 'ready') });
    const resume = () => ((isAway = false), { was: 'away' as const });
    const trim = () => (punch(), { goesBack: true });
    expect(await command('trim', { status, resume, trim })).toEqual({
      code: 0,
      asked: ['resume', 'trim'],
      said: [`! ${startingGuest}`, expect.stringMatching(/ 0\.00 GiB .*\(0\.06 GiB before\)\.$/)],
    });
  });

  test('says so where the disk takes nothing', async () => {
    const { code, said } = await command('trim', { trim: () => ({ goesBack: false }) });
    expect(code).toBe(Exit.unavailable);
    expect(said.join('\n')).toContain('cannot return free disk space');
  });
});

const statusOf = (phase: 'away' | 'ready') => {
  const status = calm.status(asker);
  if (status instanceof Promise) throw new Error('it is said at once');
  return { ...status, phase };
};
