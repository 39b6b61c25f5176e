import {
  appendFileSync,
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { consoleText } from '../../src/guest/console/console-log.ts';
import { openConsole, type Console, type ConsoleOptions } from '../../src/guest/console/console.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { RingFile } from '../rig/hyperkit/ring-file.ts';
import { removeTree } from '../remove-tree.ts';

let dir: string;
let path: string;
let logPath: string;
let clock: FakeClock;
let got: string[];
let lost: (number | undefined)[];
let console: Console;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'console-'));
  path = join(dir, 'console-ring');
  logPath = join(dir, 'console.log');
  clock = new FakeClock(Date.parse('2026-01-02T03:04:05Z'));
  got = [];
  lost = [];
});
afterEach(() => removeTree(dir));

const open = (more: Partial<ConsoleOptions> = {}) => {
  console = openConsole({
    path,
    logPath,
    clock,
    kind: 'append',
    onLine: ({ text }) => got.push(text),
    onLost: (bytes) => lost.push(bytes),
    ...more,
  });
};
const logged = () => readFileSync(logPath, 'utf8').trimEnd().split('\n');
const texts = () => logged().map((line) => line.slice(25));

describe('a boot', () => {
  test('gives lines as they come, with times, and logs them', async () => {
    open();
    await clock.advance(1000);
    appendFileSync(path, 'Linux version 6.12\r\n\x1b[0;32mhalf');
    await clock.advance(25);
    expect(got).toEqual(['Linux version 6.12']);
    appendFileSync(path, ' done\x1b[0m\r\n');
    await clock.advance(25);
    expect(got).toEqual(['Linux version 6.12', 'half done']);
    expect(console.last(1)).toEqual(['half done']);
    expect(console.bytes).toBe(statSync(path).size);
    expect(logged()).toEqual([
      '2026-01-02T03:04:05.000Z === boot ===',
      '2026-01-02T03:04:06.025Z Linux version 6.12',
      '2026-01-02T03:04:06.050Z half done',
    ]);
    expect(statSync(logPath).mode & 0o777).toBe(0o600);
    await console.close();
  });

  test('close() gives the last words, also those without end', async () => {
    open();
    appendFileSync(path, 'Kernel panic - not syncing: oh no\nRebooting in');
    await console.close();
    expect(got).toEqual(['Kernel panic - not syncing: oh no', 'Rebooting in']);
    expect(texts()).toEqual(['=== boot ===', ...got]);
    expect(clock.pending).toBe(0);
  });

  test('looks every 25 ms, once it is settled every 30 s, and at once when it is poked', async () => {
    open();
    expect(clock.due).toEqual([25]);
    console.settle();
    expect(clock.due).toEqual([30_000]);
    appendFileSync(path, 'quiet\n');
    await clock.advance(4900);
    expect(got).toEqual([]);
    console.poke();
    expect(got).toEqual(['quiet']);
    await console.close();
  });

  test('keeps a bounded number of lines', async () => {
    open();
    appendFileSync(path, Array.from({ length: 1000 }, (_, n) => `line ${n}\n`).join(''));
    await console.close();
    expect(console.last(5000).length).toBe(200);
    expect(console.last(2)).toEqual(['line 998', 'line 999']);
    expect(console.last(0)).toEqual([]);
    expect(texts().length).toBe(1001);
  });

  test('a flood is said and marked', async () => {
    open();
    appendFileSync(path, 'before\n');
    await clock.advance(100);
    appendFileSync(path, `${'x'.repeat(99)}\n`.repeat(20_000));
    await console.close();
    expect(lost).toEqual([2_000_000 - 1024 * 1024]);
    expect(texts()[2]).toBe(`=== at least ${lost[0]} bytes lost ===`);
  });
});

describe('the log', () => {
  test('spans boots', async () => {
    for (const words of ['first', 'second']) {
      open();
      appendFileSync(path, `${words}\n`);
      await console.close();
    }
    expect(texts()).toEqual(['=== boot ===', 'first', '=== boot ===', 'second']);
    expect(got).toEqual(['first', 'second']);
  });

  test('is rotated by size and keeps so many', async () => {
    open({ rotation: { maxBytes: 1000, keep: 2 } });
    for (let n = 0; n < 100; n++) {
      appendFileSync(path, `line ${n} ${'.'.repeat(50)}\n`);
      console.poke();
    }
    await console.close();
    for (const file of [logPath, `${logPath}.1`, `${logPath}.2`])
      expect(statSync(file).size).toBeLessThanOrEqual(1000);
    expect(existsSync(`${logPath}.3`)).toBe(false);
    expect(logged().at(-1)).toContain('line 99');
  });

  test('a log that cannot be written costs the log, not the lines', async () => {
    mkdirSync(logPath);
    open();
    appendFileSync(path, 'still read\n');
    await console.close();
    expect(got).toEqual(['still read']);
  });
});

describe('what an earlier guest left unread', () => {
  test('goes to the log, not to this boot', async () => {
    writeFileSync(path, 'old\nlast words of a guest whose daemon was killed\n');
    open();
    appendFileSync(path, 'new\n');
    await console.close();
    expect(got).toEqual(['new']);
    expect(console.bytes).toBe(4);
    expect(texts()).toEqual([
      '=== output of the previous boot, read afterwards ===',
      'old',
      'last words of a guest whose daemon was killed',
      '=== boot ===',
      'new',
    ]);
  });

  test.each([
    ['few lines', 'one\n'],
    ['many lines that repeat', 'one\ntwo\none\ntwo\none\ntwo\nthree\n'],
  ])('is not logged twice: %s', async (_, read) => {
    open();
    appendFileSync(path, 'of a boot before\n');
    await console.close();
    open();
    appendFileSync(path, read);
    console.poke();
    // No close(): this daemon is killed here.
    appendFileSync(path, 'one more\n');
    open();
    await console.close();
    expect(texts().slice(-3)).toEqual([
      '=== output of the previous boot, read afterwards ===',
      'one more',
      '=== boot ===',
    ]);
    open();
    await console.close();
    expect(texts().filter((text) => text.includes('read afterwards')).length).toBe(1);
  });
});

describe('a ring of which all was read', () => {
  const many = (count: number, length: number) =>
    Array.from({ length: count }, (_, n) => `${n}`.padEnd(length, '.'));
  const cases = [
    ['when the log was rotated among its last lines', many(130, 50), { maxBytes: 8_000 }],
    ['when the guest writes what looks like a mark', ['a', '=== run 7 of 9 ===', 'b'], {}],
    ['when it was wrapped', many(5_000, 40), {}],
    ['when its lines are short', many(30_000, 3), {}],
  ] as const;
  /** A boot of a guest that says those lines, and whose daemon reads them in time. */
  const boot = (lines: readonly string[], rotation: ConsoleOptions['rotation'] = {}) => {
    open({ kind: 'ring', rotation });
    const ring = new RingFile(path);
    const looks = Math.ceil(lines.length / 60);
    for (let n = 0; n < lines.length; n += looks) {
      ring.write(Buffer.from(lines.slice(n, n + looks).join('\r\n') + '\r\n'));
      console.poke();
    }
    ring.close();
  };
  const unread = () => texts().filter((text) => text.includes('read afterwards'));

  test.each(cases)('is not told again when its daemon was killed: %s', (_, lines, rotation) => {
    boot(lines, rotation);
    open({ kind: 'ring', rotation });
    expect(texts().at(-1)).toBe('=== boot ===');
    expect(unread()).toEqual([]);
  });
  test.each(cases)('and what was not read is told alone: %s', (_, lines, rotation) => {
    boot(lines, rotation);
    const ring = RingFile.goOn(path, lines.map((line) => `${line}\r\n`).join('').length);
    ring.write(Buffer.from('last words\r\n'));
    ring.close();
    open({ kind: 'ring', rotation });
    expect(texts().slice(-3)).toEqual([
      '=== output of the previous boot, read afterwards ===',
      'last words',
      '=== boot ===',
    ]);
  });
  test('is read as a ring, whatever program comes next', () => {
    boot(many(5_000, 40));
    open({ kind: 'append' });
    expect(unread()).toEqual([]);
  });
  test('is forgotten after an orderly end, and never emptied', async () => {
    boot(['same', 'same', 'same']);
    const mapped = openSync(path, 'r');
    await console.close();
    console.forget();
    expect(existsSync(path)).toBe(false);
    expect(fstatSync(mapped).size).toBe(65_536);
    closeSync(mapped);
    rmSync(logPath);
    open({ kind: 'ring' });
    expect(texts()).toEqual(['=== boot ===']);
  });
});

test.each([
  ['\u001b[1;31mred\u001b[0m', 'red'],
  ['\u001b]0;title\u0007text', 'text'],
  ['\u001b]52;c;ZXZpbA==\u001b\\text', 'text'],
  ['\u001bc\u001b[?7l\u001b[2Jx', 'x'],
  ['\u001bP1$r\u001b\\dcs', 'dcs'],
  ['\u001b(Bx', 'x'],
  ['a\tb\bc\u009b31m  ', 'a bc31m'],
  ['lone \u001b', 'lone'],
  ['=== boot ===', ' === boot ==='],
  ['\u001b[1m=== boot ===\u001b[0m', ' === boot ==='],
  ['bi\u202edi', 'bidi'],
  ['grüße 🙂', 'grüße 🙂'],
])('consoleText(%j)', (line, text) => {
  expect(consoleText(line)).toBe(text);
});
