import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { shownLine } from '../../src/command/terminal.ts';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import type { Status } from '../../src/supervisor/status/status-schema.ts';
import { writeStatus } from '../../src/supervisor/status/status-file.ts';
import { buildProgram, type BuiltProgram } from '../fakes/program.ts';
import { removeTree } from '../remove-tree.ts';

const hostile =
  '\u001b]0;TITLE\u0007\u001b[2J\u001b[HReady to build.\u001b[0m\r\u009b8m\u202e\u200b\u2028';

describe('a line', () => {
  test('is shown without what a terminal would obey, and with what was asked for beside it', () => {
    expect(shownLine(`a ${hostile}`)).toBe('a Ready to build.8m');
    const sentence = `Ready\u001b[31m.`;
    expect(shownLine(`${sentence} (x)`, { color: 'green', length: sentence.length })).toBe(
      '\u001b[32mReady.\u001b[39m (x)',
    );
    expect(shownLine('No.', { color: 'red' })).toBe('\u001b[31mNo.\u001b[39m');
    expect(shownLine('a\nb\u001b[Jc', { over: true })).toBe(
      '\u001b[Ha\u001b[K\nbc\u001b[K\u001b[J',
    );
  });
});

describe('the program', () => {
  let program: BuiltProgram;
  let layout: Layout;
  beforeAll(async () => {
    program = await buildProgram();
    layout = layoutOf(mkdtempSync(join(tmpdir(), 'terminal-')));
    mkdirSync(layout.state);
  });
  afterAll(() => {
    program[Symbol.dispose]();
    removeTree(layout.root);
  });
  const shown = (...argv: string[]) => {
    const ran = spawnSync(process.execPath, [program.main, ...argv, '-d', layout.root]);
    return `${ran.stdout.toString()}${ran.stderr.toString()}`;
  };
  const obeyed = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b\u2028\u202e]/;

  // Behaviour 173: No control sequence, and nothing that hides or reorders text, reaches a terminal, `status.json` or
  // a saved incident, whether it comes from the guest, another user's process or a mirror. Two things are not
  // filtered: what a session in the guest prints, as with `ssh` or `debug`, and the logs of builds, which belong to
  // Nix.
  test('shows nothing that a terminal obeys, whatever stands in its files', () => {
    writeFileSync(layout.consoleLog, `2026-11-28T12:00:00.000Z ${hostile}\n`);
    const record = { time: '2026-11-28T12:00:00.000Z', level: 'info', event: 'login' };
    writeFileSync(layout.log, `${JSON.stringify({ ...record, detail: `no\n${hostile}` })}\n`);
    const failure = { kind: 'x', message: hostile, hint: hostile, exit: 69, lines: [hostile] };
    const status: Status = {
      version: 1,
      phase: 'failed',
      sentence: hostile,
      since: '2026-11-28T12:00:00.000Z',
      attempt: 1,
      because: failure,
      daemon: { pid: 1, started: 'x', boot: 'x', program: 'x' },
    } as unknown as Status;
    writeStatus(layout, status);
    expect(readFileSync(layout.status, 'utf8')).not.toMatch(
      /\\u00(?!0a)[019]|\u009b|\u202e|\u200b/,
    );
    for (const command of [
      ['console'],
      ['logs'],
      ['logs', '--json'],
      ['status'],
      ['status', '--json'],
    ]) {
      const text = shown(...command);
      expect(text, command.join(' ')).toContain('Ready to build.');
      expect(text, command.join(' ')).not.toMatch(obeyed);
    }
    // One line of the file is one line on the screen.
    expect(shown('logs').trimEnd().split('\n')).toHaveLength(1);
  });
});
