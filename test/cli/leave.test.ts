/** How the real program ends: what it has shown arrives, whoever reads it, and it never ends in the midst of its work with 0. */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { examples } from '../../src/cli/shell/examples.ts';
import { layoutOf } from '../../src/config/layout.ts';
import { buildProgram, type BuiltProgram } from '../fakes/program.ts';
import { outcome } from '../rig/other-process.ts';
import { needs } from '../needs.ts';
import { unfinished } from '../../src/leave.ts';
import { removeTree } from '../remove-tree.ts';

let program: BuiltProgram;
let directory: string;
const lineCount = 10_000;
const megabyte = 1 << 20;
beforeAll(async () => {
  program = await buildProgram();
  directory = mkdtempSync(join(tmpdir(), 'leave-'));
  const layout = layoutOf(directory);
  mkdirSync(layout.state);
  const line = (n: number) => `${String(n).padStart(6)} ${'.'.repeat(100)}\n`;
  writeFileSync(layout.consoleLog, Array.from({ length: lineCount }, (_, n) => line(n)).join(''));
});
afterAll(() => {
  program[Symbol.dispose]();
  removeTree(directory);
});

/** Code for the process of the program, before the program. */
function preloaded(name: string, code: string): string[] {
  const path = join(program.folder, `${name}.cjs`);
  writeFileSync(path, code);
  return ['--require', path];
}

const start = (argv: readonly string[], node: readonly string[] = []) =>
  spawn(process.execPath, [...node, program.main, ...argv], { stdio: ['ignore', 'pipe', 'pipe'] });

/** All that a reader gets that does something else between one piece of 64 KiB at most and the next. */
async function readSlowly(stream: Readable): Promise<string> {
  let shown = '';
  for await (const chunk of stream) {
    shown += String(chunk);
    await new Promise((turn) => setTimeout(turn, 20));
  }
  return shown;
}

/** The program's end, with all that a slow reader got of it. */
async function slowly(argv: readonly string[], node?: readonly string[]) {
  const child = start(argv, node);
  const shown = readSlowly(child.stdout);
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const code = await new Promise<number | null>((ended) => child.once('exit', ended));
  return { code, said, shown: await shown };
}

// Behaviour 221: A command's output arrives complete, however slowly it is read. A reader that stops early, as `head`
// does, is not an error. If the output cannot be written, for example to a full disk, the exit code is 74.
describe('a slow reader', { timeout: 120_000 }, () => {
  test('of a long console', async () => {
    const argv = ['console', '-n', String(lineCount), '-d', directory];
    const { code, said, shown } = await slowly(argv);
    expect({ code, said }).toEqual({ code: 0, said: '' });
    expect(shown.length).toBeGreaterThan(megabyte);
    expect(shown.split('\n').length - 1).toBe(lineCount);
  });

  let megabyteFirst: string[];
  beforeAll(() => {
    const code = `process.stdout.write('x'.repeat(${megabyte}) + '\\n');`;
    megabyteFirst = preloaded('megabyte', code);
  });

  const commands = Object.keys(examples).filter((command) => command !== '');
  test('there are commands', () => expect(commands.length).toBeGreaterThan(12));

  test.concurrent.each(commands)('of %s, behind a megabyte', async (command) => {
    const { code, said, shown } = await slowly([...command.split(' '), '--help'], megabyteFirst);
    expect({ code, said }).toEqual({ code: 0, said: '' });
    expect(shown.indexOf('\n')).toBe(megabyte);
    expect(shown).toContain(`Usage: linuxkit-builder ${command}`);
    expect(shown.endsWith('\n')).toBe(true);
  });

  test('of an error', async () => {
    const before = preloaded('errors', `process.stderr.write('x'.repeat(${megabyte}) + '\\n');`);
    const child = start(['console', '--no-such-option'], before);
    child.stdout.resume();
    const code = new Promise((ended) => child.once('exit', ended));
    const said = await readSlowly(child.stderr);
    expect(await code).toBe(64);
    expect(said.slice(megabyte)).toContain("unknown option '--no-such-option'");
    expect(said.endsWith('\n')).toBe(true);
  });

  test('is waited for until a signal comes', async () => {
    const child = start(['console', '-n', String(lineCount), '-d', directory]);
    await new Promise((read) => child.stdout.once('readable', read));
    const ended = outcome(child);
    child.kill('SIGINT');
    expect(await ended).toMatchObject({ code: 130 });
  });
});

test.each(['console', 'console -f'])('nobody reads %s', async (words) => {
  const child = start([...words.split(' '), '-n', String(lineCount), '-d', directory]);
  child.stdout.once('data', () => child.stdout.destroy());
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const code = await new Promise((ended) => child.once('exit', ended));
  expect({ code, said }).toEqual({ code: 0, said: '' });
});

test('what cannot be written is no success', needs('Linux'), async () => {
  const full = openSync('/dev/full', 'w');
  const argv = [program.main, 'console', '-d', directory];
  const child = spawn(process.execPath, argv, { stdio: ['ignore', full, 'pipe'] });
  closeSync(full);
  const { code, said } = await outcome(child);
  const why = 'linuxkit-builder: Cannot write to standard output: the disk is full.\n';
  expect({ code, said }).toEqual({ code: 74, said: why });
});

// Behaviour 222: If a bug makes a command end before it has finished its work, the command says so and exits with 70,
// never with 0.
test('nothing left to wait for, and not at its end', async () => {
  const timers = `
    const { setTimeout } = globalThis;
    globalThis.setTimeout = (...all) => setTimeout(...all).unref();
    const promises = require('node:timers/promises');
    const { setTimeout: sleep } = promises;
    promises.setTimeout = (ms, value, options) => sleep(ms, value, { ...options, ref: false });
    require('node:module').syncBuiltinESMExports();
  `;
  const child = start(['console', '-f', '-d', directory], preloaded('timers', timers));
  child.stdout.resume();
  const { code, said } = await outcome(child);
  expect(code).toBe(70);
  expect(said).toContain(unfinished.message);
});
