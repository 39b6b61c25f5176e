import {
  chmodSync,
  lchownSync,
  mkdtempSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { bootReportCommand } from '../../src/cli/inspect/boot-report-command.ts';
import { refuseOthersLink, writeNamed } from '../../src/command/named-file.ts';
import type { CliContext } from '../../src/command/context.ts';
import { failureOf } from '../../src/system/failure.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { needs } from '../needs.ts';
import { removeTree } from '../remove-tree.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'named-'));
});
afterEach(() => removeTree(dir));

test(
  'boot-report goes by no link of another user’s to a file of one’s own',
  needs('root'),
  async () => {
    const [named, own, state] = ['boots.html', 'own', 'state'].map((name) => join(dir, name)) as [
      string,
      string,
      string,
    ];
    writeFileSync(own, 'mine');
    symlinkSync(own, named);
    const context: CliContext = {
      env: { LINUXKIT_BUILDER_TREE: dir },
      home: dir,
      assets: dir,
      out: () => undefined,
      err: () => undefined,
      isTTY: false,
      signal: new AbortController().signal,
      clock: systemClock,
      onStopSignal: () => undefined,
      exit: () => undefined,
    };
    const write = () => {
      const program = new Command().exitOverride();
      bootReportCommand(program.command('boot-report'), context);
      const argv = ['boot-report', '-d', state, '--html', named];
      return program.parseAsync(argv, { from: 'user' }).then(() => 'written', failureOf);
    };
    lchownSync(named, 1234, 1234);
    expect(await write()).toMatchObject({ kind: 'report-misled' });
    expect(readFileSync(own, 'utf8')).toBe('mine');
    lchownSync(named, 0, 0);
    expect(await write()).toBe('written');
    expect(readFileSync(own, 'utf8')).toContain('<!doctype html>');
  },
);

test.each([
  ['in a loop of links', (folder: string) => join(folder, 'loop/report')],
  ['whose name is too long', (folder: string) => join(folder, 'x'.repeat(300))],
])('a file that cannot be looked at cannot be written: %s', (_, pathIn) => {
  symlinkSync('loop', join(dir, 'loop'));
  const failure = (() => {
    try {
      writeNamed(pathIn(dir), 'text', 0o600);
    } catch (error) {
      return failureOf(error);
    }
    return undefined;
  })();
  expect(failure).toMatchObject({ kind: 'cannot-write', exit: 73 });
});

test('nor one in a directory that is not for us', needs('ordinary user'), () => {
  chmodSync(dir, 0);
  try {
    expect(() => refuseOthersLink(join(dir, 'report'))).not.toThrow();
  } finally {
    chmodSync(dir, 0o700);
  }
});
