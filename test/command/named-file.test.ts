import { lchownSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { bootReportVerb } from '../../src/cli/inspect/boot-report-command.ts';
import type { CliContext } from '../../src/command/context.ts';
import { failureOf } from '../../src/system/failure.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { needs } from '../needs.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'named-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

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
      bootReportVerb(program, context);
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
