/** Who is told that the daemon has given up, and how often. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { noticeOf, notifier, type Notice } from '../../src/cli/daemon/notify.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { readIfThere } from '../../src/system/files/files.ts';
import { until } from '../../src/system/time/wait.ts';
import { buildProgram, type BuiltProgram } from '../fakes/program.ts';
import { freePort } from '../rig/free-port.ts';
import { needs } from '../needs.ts';
import { removeTree } from '../remove-tree.ts';

let program: BuiltProgram;
const tree = mkdtempSync(join(tmpdir(), 'notify-'));
const bin = join(tree, 'bin');
beforeAll(async () => {
  program = await buildProgram();
  mkdirSync(bin);
  for (const name of ['notify-send', 'osascript'])
    writeFileSync(join(bin, name), `#!/bin/sh\nprintf '%s|' "$@" >>'${tree}/shown'\n`, {
      mode: 0o755,
    });
});
afterAll(() => {
  program[Symbol.dispose]();
  removeTree(tree);
});

test('is an argument to the program of the system, where there is a desktop', () => {
  const env = { PATH: bin, DBUS_SESSION_BUS_ADDRESS: 'unix:path=/x' };
  const text = 'It said "no"; $(rm)';
  expect(noticeOf(text, env, 'linux')).toEqual({
    program: join(bin, 'notify-send'),
    argv: ['--urgency=critical', '--app-name=linuxkit-builder', '--', 'linuxkit-builder', text],
  });
  const mac = noticeOf(text, { PATH: bin }, 'darwin');
  expect(mac?.argv.slice(-2)).toEqual(['linuxkit-builder', text]);
  expect(mac?.argv.slice(0, -2).join(' ')).not.toContain('no"');
  expect(noticeOf(text, { PATH: bin }, 'linux')).toBeUndefined();
  expect(noticeOf(text, { ...env, PATH: '/nonexistent' }, 'linux')).toBeUndefined();
});

// Behaviour 145: When the daemon gives up, the desktop shows one notification. It shows none if `notifications` is
// `false`, or if the daemon has no desktop session, as at boot or with a declared builder.
test('is shown once each time that it gives up', () => {
  const shown: Notice[] = [];
  const env = { PATH: bin, DBUS_SESSION_BUS_ADDRESS: 'unix:path=/x' };
  let wanted = true;
  const notify = notifier({
    env,
    platform: 'linux',
    isWanted: () => wanted,
    show: (notice) => shown.push(notice),
  });
  const tell = (...phases: string[]) => {
    for (const phase of phases) notify({ phase, sentence: phase });
  };
  tell('starting', 'backing-off', 'ready');
  expect(shown).toEqual([]);
  tell('failed', 'failed', 'failed');
  expect(shown).toHaveLength(1);
  tell('starting', 'failed');
  expect(shown).toHaveLength(2);
  wanted = false;
  tell('starting', 'failed');
  expect(shown).toHaveLength(2);
});

test('is shown by a daemon without an image', needs('Linux'), async () => {
  const runtime = join(tree, 'runtime');
  const state = join(tree, 's');
  mkdirSync(runtime);
  mkdirSync(state, { mode: 0o700 });
  writeFileSync(join(runtime, 'bus'), '');
  writeFileSync(
    join(state, 'config.json'),
    `{"port":${await freePort()},"accelerator":"tcg","start":"login"}`,
  );
  const env = {
    PATH: `${bin}:${process.env['PATH'] ?? ''}`,
    HOME: tree,
    XDG_RUNTIME_DIR: runtime,
    LINUXKIT_BUILDER_TREE: join(tree, 'tree'),
  };
  const argv = [program.main, 'daemon', '--managed', '-d', state];
  const daemon = spawn(process.execPath, argv, { env, stdio: 'ignore' });
  const shown = () => readIfThere(join(tree, 'shown')) ?? '';
  const came = await until(() => shown() !== '', {
    clock: systemClock,
    everyMs: 20,
    timeoutMs: 50_000,
  });
  daemon.kill('SIGTERM');
  await once(daemon, 'close');
  expect(came).toBe('held');
  expect(readFileSync(join(tree, 'shown'), 'utf8').split('linuxkit-builder|')).toHaveLength(3);
  expect(shown()).toMatch(
    /^--urgency=critical\|--app-name=linuxkit-builder\|--\|linuxkit-builder\|.*\|$/,
  );
});
