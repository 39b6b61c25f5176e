import {
  appendFileSync,
  closeSync,
  fstatSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from '../fuzz/fast-check.ts';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { cutMark, LineSplitter } from '../../src/system/files/line-splitter.ts';
import { Tail, type TailOptions } from '../../src/system/files/tail.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { removeTree } from '../remove-tree.ts';

describe('Tail', () => {
  let dir: string;
  let path: string;
  let clock: FakeClock;
  let got: string;
  let said: string[];
  let tail: Tail;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'tail-'));
    path = join(dir, 'file');
    clock = new FakeClock();
    got = '';
    said = [];
  });
  afterEach(async () => {
    await tail.stop();
    removeTree(dir);
  });
  const follow = (more: Partial<TailOptions> = {}) => {
    tail = new Tail({
      path,
      clock,
      pollMs: 100,
      onBytes: (chunk) => (got += chunk.toString('latin1')),
      onLost: (bytes) => said.push(`lost ${bytes}`),
      onTruncated: (bytes) => said.push(`truncated ${bytes}`),
      ...more,
    });
  };

  test('waits for the file, reads what is there, then what is added', async () => {
    follow();
    await clock.advance(1000);
    expect(got).toBe('');
    writeFileSync(path, 'one');
    await clock.advance(100);
    appendFileSync(path, ' two');
    await clock.advance(100);
    expect(got).toBe('one two');
  });

  test('poke() looks at once', () => {
    follow({ pollMs: 60_000 });
    writeFileSync(path, 'now');
    tail.poke();
    expect(got).toBe('now');
  });

  test('a poke from inside onBytes does not read twice', () => {
    writeFileSync(path, 'abc');
    follow({
      onBytes: (chunk) => {
        got += chunk.toString();
        tail.poke();
      },
    });
    tail.poke();
    expect(got).toBe('abc');
  });

  test('stop() looks a last time, then never again', async () => {
    follow();
    writeFileSync(path, 'last words');
    await tail.stop();
    appendFileSync(path, ' too late');
    tail.poke();
    await clock.advance(10_000);
    expect(got).toBe('last words');
    expect(clock.pending).toBe(0);
  });

  test('when slow it wakes at most once in 5 s', async () => {
    follow();
    tail.pollEvery(5000);
    let wakes = 0;
    const poke = tail.poke.bind(tail);
    tail.poke = () => {
      wakes += 1;
      poke();
    };
    await clock.advance(60_000);
    expect(wakes).toBe(12);
    expect(clock.pending).toBe(1);
  });

  test('an emptied file is read from its start', async () => {
    writeFileSync(path, 'first boot');
    follow();
    await clock.advance(100);
    truncateSync(path);
    appendFileSync(path, 'second');
    await clock.advance(100);
    expect(got).toBe('first bootsecond');
  });

  test('an emptied file that has outgrown the old one is noticed by its content', async () => {
    writeFileSync(path, 'old content');
    follow();
    await clock.advance(100);
    truncateSync(path);
    appendFileSync(path, 'something new and longer');
    await clock.advance(100);
    expect(got).toBe('old contentsomething new and longer');
  });

  test('a file put in its place is read from its start, even with the same beginning', async () => {
    writeFileSync(path, 'same');
    follow();
    await clock.advance(100);
    writeFileSync(`${path}.new`, 'same and more');
    renameSync(`${path}.new`, path);
    await clock.advance(100);
    rmSync(path);
    await clock.advance(100);
    writeFileSync(path, 'again');
    await clock.advance(100);
    expect(got).toBe('samesame and moreagain');
  });

  // Behaviour 14: The daemon reads the guest's console, and the output of the VM and network programs, even after the
  // file with that output has been deleted.
  test('one whose name is gone is read on, and emptied, and another of that name from its start', async () => {
    const writer = openSync(path, 'a');
    follow({ maxBytes: 10 });
    writeSync(writer, 'one ');
    await clock.advance(100);
    rmSync(path);
    writeSync(writer, 'two ');
    await clock.advance(100);
    expect(got).toBe('one two ');
    writeSync(writer, 'three ');
    await clock.advance(100);
    expect(said).toEqual(['truncated 14']);
    expect(fstatSync(writer).size).toBe(0);
    writeSync(writer, 'four ');
    await clock.advance(100);
    writeSync(writer, 'five ');
    writeFileSync(path, 'six');
    await clock.advance(100);
    expect(got).toBe('one two three four five six');
    closeSync(writer);
  });

  test('the file stays bounded and nothing is lost at it', async () => {
    follow({ maxBytes: 1000 });
    let written = '';
    for (let n = 0; n < 50; n++) {
      const text = `line ${n} ${'.'.repeat(90)}\n`;
      written += text;
      appendFileSync(path, text);
      await clock.advance(100);
      expect(statSync(path).size).toBeLessThan(1100);
    }
    expect(got).toBe(written);
    expect(said.every((words) => words.startsWith('truncated '))).toBe(true);
    expect(said.length).toBeGreaterThan(3);
  });

  // A writer that keeps its place (Virtualization.framework's console is taken to) leaves a hole where the file was emptied.
  test.each(['keeps its place', 'begins anew'])(
    'what a writer that %s behind an emptying says comes once and whole',
    (how) => {
      follow({ maxBytes: 1000, maxBacklogBytes: 2000 });
      const fd = openSync(path, 'w');
      let place = 0;
      const line = (n: number) => `line ${n} ${'x'.repeat(90)}\n`;
      const all = Array.from({ length: 100 }, (_, n) => line(n));
      for (const text of all) {
        if (how === 'begins anew' && fstatSync(fd).size === 0) place = 0;
        place += writeSync(fd, text, place);
        tail.poke();
      }
      closeSync(fd);
      expect(got).toBe(all.join(''));
      expect(said.filter((words) => !words.startsWith('truncated 1'))).toEqual([]);
      expect(said.length).toBeGreaterThan(5);
    },
  );

  test('a flood loses its oldest bytes and says how many', () => {
    follow({ maxBacklogBytes: 100_000, maxBytes: 200_000 });
    writeFileSync(path, 'x'.repeat(300_000) + 'end');
    tail.poke();
    expect(got.length).toBe(100_000);
    expect(got.endsWith('xend')).toBe(true);
    expect(said).toEqual(['lost 200003', 'truncated 300003']);
  });

  test('no folder, or a folder in its place, is no catastrophe', async () => {
    follow({ path: join(dir, 'no', 'such', 'file') });
    await clock.advance(1000);
    await tail.stop();
    follow({ path: dir });
    await clock.advance(1000);
    expect(got).toBe('');
  });

  test('a fault of the receiver is not swallowed', () => {
    writeFileSync(path, 'x');
    follow({
      onBytes: () => {
        throw new Error('ours');
      },
    });
    expect(() => tail.poke()).toThrow('ours');
    truncateSync(path);
  });
});

describe('LineSplitter', () => {
  const split = (text: string | Buffer, max?: number): string[] => {
    const splitter = new LineSplitter(max);
    return [...splitter.push(Buffer.from(text)), ...splitter.end()];
  };

  test.each<[string, string | Buffer, string[]]>([
    ['\\n and \\r\\n', 'a\nb\r\nc\n', ['a', 'b', 'c']],
    ['empty lines', 'a\n\nb\r\n\r\nc', ['a', '', 'b', '', 'c']],
    ['a lone \\r', '10%\r20%\r\rdone\n', ['10%', '20%', 'done']],
    ['\\r before the line', '\rlinux\n\r\nx', ['linux', '', 'x']],
    ['a line without end', 'a\nlogin: ', ['a', 'login: ']],
    ['NULs', 'a\0b\0\n\0\0\nc', ['ab', '', 'c']],
    ['invalid UTF-8', Buffer.from([0x61, 0xff, 0x62, 0x0a, 0xc3]), ['a\ufffdb', '\ufffd']],
    ['nothing', '', []],
  ])('%s', (_, text, lines) => {
    expect(split(text)).toEqual(lines);
  });

  test('cuts a long line once, drops its rest, keeps the next', () => {
    expect(split(`${'x'.repeat(25)}\nnext\n`, 10)).toEqual([`${'x'.repeat(10)}${cutMark}`, 'next']);
    expect(split('y'.repeat(10), 10)).toEqual(['y'.repeat(10)]);
    const splitter = new LineSplitter(10);
    const lines = Array.from({ length: 9 }, () => splitter.push(Buffer.from('zzz'))).flat();
    expect(lines).toEqual([`zzzzzzzzzz${cutMark}`]);
    expect(splitter.end()).toEqual([]);
  });

  test('gives the same lines whatever the chunks', () => {
    const alphabet = fc.constantFrom('a', 'ü', '\n', '\r', '\r\n', '\0', ' ');
    fc.assert(
      fc.property(fc.array(alphabet), fc.array(fc.nat(8)), (pieces, cuts) => {
        const bytes = Buffer.from(pieces.join(''));
        const splitter = new LineSplitter(6);
        const lines: string[] = [];
        let at = 0;
        for (const cut of cuts) lines.push(...splitter.push(bytes.subarray(at, (at += cut))));
        lines.push(...splitter.push(bytes.subarray(at)), ...splitter.end());
        expect(lines).toEqual(split(bytes, 6));
      }),
    );
  });
});
