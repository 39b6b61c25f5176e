import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import { rotate } from '../../src/system/log.ts';
import { buildProgram, type BuiltProgram } from '../fakes/program.ts';
import { removeTree } from '../remove-tree.ts';

let program: BuiltProgram;
let dir: string;
let layout: Layout;
let running: Running[];
beforeAll(async () => {
  program = await buildProgram();
});
afterAll(() => program[Symbol.dispose]());
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'follow-'));
  layout = layoutOf(dir);
  mkdirSync(join(dir, 'nix-state'));
  running = [];
});
afterEach(async () => {
  for (const each of running) await each.interrupted();
  removeTree(dir);
});

/** The command line in a process, and what it has shown so far. */
class Running {
  readonly #process: ChildProcessByStdio<null, Readable, Readable>;
  readonly #ended: Promise<unknown[]>;
  #shown = '';
  #said = '';

  constructor(argv: readonly string[]) {
    this.#process = spawn(process.execPath, [program.main, ...argv, '-d', dir], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#ended = once(this.#process, 'close');
    this.#process.stdout.setEncoding('utf8').on('data', (text: string) => (this.#shown += text));
    this.#process.stderr.setEncoding('utf8').on('data', (text: string) => (this.#said += text));
    running.push(this);
  }

  /** Resolves when so many lines have been shown in all, with those from the given one on; fails when it ends before. */
  async lines(count: number, from = 0): Promise<string[]> {
    const lines = () => this.#shown.split('\n').slice(0, -1);
    while (lines().length < count)
      await Promise.race([
        once(this.#process.stdout, 'data'),
        this.#ended.then(() => Promise.reject(new Error(`ended: ${this.#shown}${this.#said}`))),
      ]);
    return lines().slice(from);
  }

  /** Ends it as Ctrl-C does. */
  async interrupted() {
    this.#process.kill('SIGINT');
    return this.ended();
  }

  /** As `head` does when it has enough. */
  hangUp() {
    this.#process.stdout.destroy();
  }

  async ended() {
    const [code] = await this.#ended;
    return { code, shown: this.#shown, said: this.#said };
  }
}

const numbered = (word: string, count: number) =>
  Array.from({ length: count }, (_, n) => `${word} ${n}\n`).join('');

describe('console', () => {
  test('begins in the older files where the newest has too few lines', async () => {
    writeFileSync(`${layout.consoleLog}.2`, numbered('oldest', 100));
    writeFileSync(`${layout.consoleLog}.1`, numbered('older', 3));
    writeFileSync(layout.consoleLog, 'new 0\n');
    const { code, shown } = await new Running(['console', '-n', '5']).ended();
    expect({ code, shown }).toEqual({
      code: 0,
      shown: 'oldest 99\nolder 0\nolder 1\nolder 2\nnew 0\n',
    });
    const all = await new Running(['console']).ended();
    expect(all.shown.split('\n').length - 1).toBe(104);
    expect((await new Running(['console', '-n', '0']).ended()).shown).toBe('');
  });

  test('shows a last line without end', async () => {
    writeFileSync(layout.consoleLog, 'whole\nin the mid');
    expect((await new Running(['console']).ended()).shown).toBe('whole\nin the mid\n');
  });

  test('says that there is nothing', async () => {
    const { code, shown } = await new Running(['console', '-f']).ended();
    expect([code, shown]).toEqual([66, '']);
  });
});

describe('console -f', () => {
  test('shows each line once and whole, as the file grows, is rotated and ends in mid-line', async () => {
    const path = layout.consoleLog;
    writeFileSync(`${path}.1`, numbered('older', 3));
    writeFileSync(path, 'new 0\nnew 1\nfirst ha');
    const follower = new Running(['console', '-f', '-n', '3']);
    expect(await follower.lines(3)).toEqual(['older 2', 'new 0', 'new 1']);

    appendFileSync(path, 'lf and ü'.slice(0, -1));
    const [first = 0, second = 0] = Buffer.from('ü');
    appendFileSync(path, Buffer.from([first]));
    appendFileSync(path, Buffer.concat([Buffer.from([second]), Buffer.from('\n')]));
    expect(await follower.lines(4, 3)).toEqual(['first half and ü']);

    // What came in the same moment as a rotation is in the older file, or in the one before that.
    appendFileSync(path, 'last of the old\n');
    rotate(path, 3);
    writeFileSync(path, 'only of a short one\n');
    rotate(path, 3);
    writeFileSync(path, 'first of the new\n');
    expect(await follower.lines(7, 4)).toEqual([
      'last of the old',
      'only of a short one',
      'first of the new',
    ]);

    // An end without newline is one all the same when the file is rotated, or when nobody waits for more.
    appendFileSync(path, 'cut short');
    rotate(path, 3);
    writeFileSync(path, 'whole\nmid');
    expect(await follower.lines(9, 7)).toEqual(['cut short', 'whole']);
    const { code, shown, said } = await follower.interrupted();
    expect({ code, said }).toEqual({ code: 0, said: '' });
    expect(shown.endsWith('\nwhole\nmid\n')).toBe(true);
  });

  test('goes on where the file was emptied or removed', async () => {
    const path = layout.consoleLog;
    writeFileSync(`${path}.1`, 'older\n');
    writeFileSync(path, 'before\n');
    const follower = new Running(['console', '-f']);
    await follower.lines(2);
    writeFileSync(path, 'anew\n');
    expect(await follower.lines(3, 2)).toEqual(['anew']);
    rmSync(path);
    writeFileSync(path, 'another\n');
    expect(await follower.lines(4, 3)).toEqual(['another']);
  });
});

describe('logs -f', () => {
  const event = (n: number, more = {}) =>
    `${JSON.stringify({ level: 'info', time: '2026-11-22T10:00:00.000Z', pid: 7, event: `event-${n}`, ...more })}\n`;

  test('shows the events of all files, however long and however written', async () => {
    writeFileSync(`${layout.log}.1`, event(0) + event(1));
    const long = event(2, { why: 'x'.repeat(10_000) });
    writeFileSync(layout.log, long.slice(0, 5000));
    const follower = new Running(['logs', '-f']);
    expect(await follower.lines(2)).toEqual(['10:00:00.000 event-0', '10:00:00.000 event-1']);
    appendFileSync(layout.log, long.slice(5000) + event(3));
    rotate(layout.log, 3);
    writeFileSync(layout.log, event(4));
    expect(await follower.lines(5, 2)).toEqual([
      `10:00:00.000 event-2 why=${'x'.repeat(10_000)}`,
      '10:00:00.000 event-3',
      '10:00:00.000 event-4',
    ]);
  });

  test('--json shows them as they are', async () => {
    writeFileSync(`${layout.log}.1`, event(0));
    writeFileSync(layout.log, event(1));
    const follower = new Running(['logs', '-f', '--json']);
    expect(await follower.lines(2)).toEqual([event(0).trimEnd(), event(1).trimEnd()]);
  });
});

test.each(['console', 'logs'])('%s -f ends when nobody reads it any more', async (command) => {
  const path = command === 'console' ? layout.consoleLog : layout.log;
  writeFileSync(path, 'first\n');
  const shown = new Running([command, '-f']);
  await shown.lines(1);
  shown.hangUp();
  appendFileSync(path, 'second\n');
  expect((await shown.ended()).code).toBe(0);
});
