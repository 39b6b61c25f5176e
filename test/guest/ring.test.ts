import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, watch, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from '../fuzz/fast-check.ts';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock, type Clock } from '../../src/system/time/clock.ts';
import { Ring } from '../../src/guest/console/ring.ts';
import { RingReader, ringBytes } from '../../src/guest/console/ring-bytes.ts';
import { LineSplitter } from '../../src/system/files/line-splitter.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { RingFile } from '../rig/hyperkit/ring-file.ts';
import { makeProgram, outcome, runProgram } from '../rig/other-process.ts';
import { needs, type Need } from '../needs.ts';
import { removeTree } from '../remove-tree.ts';

let dir = '';
let path = '';
let writer: RingFile;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ring-'));
  path = join(dir, 'console-ring');
  writer = new RingFile(path);
});
afterEach(() => {
  writer.close();
  removeTree(dir);
});

/** The whole ring, by one who reads it once. */
function readRing(path: string): Buffer | undefined {
  const reader = new RingReader(path);
  try {
    return reader.whole();
  } finally {
    reader.close();
  }
}

/** A reader whose looks are made by hand, and what came of them. */
function readerOf(clock: Clock = new FakeClock(), read = readRing) {
  const splitter = new LineSplitter();
  const lines: string[] = [];
  const lost: (number | undefined)[] = [];
  let bytes = 0;
  let text = '';
  const ring = new Ring({
    path,
    clock,
    read,
    pollMs: 100,
    onBytes: (chunk) => {
      bytes += chunk.length;
      text += chunk.toString('latin1');
      lines.push(...splitter.push(chunk));
    },
    onLost: (count) => lost.push(count),
  });
  return { ring, lines, lost, bytes: () => bytes, text: () => text };
}
const write = (text: string) => writer.write(Buffer.from(text));
const numbered = (from: number, count: number, length = 40) =>
  Array.from({ length: count }, (_, n) => `line ${from + n} `.padEnd(length, 'x'));

describe('one look after the other', () => {
  test('lines come as they are written', () => {
    const { ring, lines } = readerOf();
    write('one\r\ntw');
    ring.poke();
    expect(lines).toEqual(['one']);
    write('o\r\n');
    ring.poke();
    ring.poke();
    expect(lines).toEqual(['one', 'two']);
  });

  test('the first look finds what was written before it', () => {
    write('early\n');
    const { ring, lines } = readerOf();
    ring.poke();
    expect(lines).toEqual(['early']);
  });

  test('the file may come late', () => {
    writer.close();
    rmSync(path);
    const { ring, lines } = readerOf();
    ring.poke();
    writer = new RingFile(path);
    write('late\n');
    ring.poke();
    expect(lines).toEqual(['late']);
  });

  test('a file that is only being made is no ring yet', () => {
    writer.close();
    writeFileSync(path, '');
    const { ring, lines } = readerOf();
    ring.poke();
    expect(lines).toEqual([]);
    writer = new RingFile(path);
    write('made\n');
    ring.poke();
    expect(lines).toEqual(['made']);
  });

  test('NULs inside are no end', () => {
    const { ring, lines } = readerOf();
    writer.write(Buffer.from('a\0\0b\nc\0'));
    ring.poke();
    write('d\n');
    ring.poke();
    expect(lines).toEqual(['ab', 'cd']);
  });

  test('round the end', () => {
    const { ring, lines, lost } = readerOf();
    const all: string[] = [];
    for (let n = 0; n < 100; n++) {
      const some = numbered(n * 50, 50, 57);
      all.push(...some);
      write(some.map((line) => `${line}\r\n`).join(''));
      ring.poke();
    }
    expect(lines).toEqual(all);
    expect(lost).toEqual([]);
  });

  test('a line end where an old one stood counts after two quiet looks, and once', () => {
    const { ring, lines } = readerOf();
    const first = `${'a'.repeat(62)}\r\n`;
    for (let n = 0; n < 1024; n++) {
      write(first);
      if (n % 256 === 255) ring.poke();
    }
    const before = lines.length;
    write(`${'b'.repeat(62)}\r\n`);
    ring.poke();
    expect(lines.length).toBe(before);
    ring.poke();
    ring.poke();
    expect(lines.slice(before)).toEqual(['b'.repeat(62)]);
    write(`${'c'.repeat(62)}\r\n`);
    ring.poke();
    ring.poke();
    ring.poke();
    expect(lines.slice(before)).toEqual(['b'.repeat(62), 'c'.repeat(62)]);
  });
});

describe('a writer that was faster', () => {
  test('what was overwritten is counted, what is there comes in order', () => {
    const { ring, lines, lost } = readerOf();
    write('begin\n');
    ring.poke();
    const all = numbered(0, 3000);
    write(all.map((line) => `${line}\n`).join(''));
    ring.poke();
    write('more\n');
    ring.poke();
    const written = 3000 * 41;
    // At least; one round more cannot be told.
    expect(lost).toEqual([written - ringBytes]);
    const whole = lines.slice(2);
    expect(whole.at(-1)).toBe('more');
    expect(whole.slice(0, -1)).toEqual(all.slice(-(whole.length - 1)));
    expect(whole.length).toBeGreaterThan(ringBytes / 41 - 3);
  });

  test('its last words come even if nothing follows them', async () => {
    const { ring, lines, lost } = readerOf();
    write('begin\n');
    ring.poke();
    write(
      numbered(0, 3000)
        .map((line) => `${line}\n`)
        .join(''),
    );
    ring.poke();
    await ring.stop();
    expect(lines).toContain(numbered(2999, 1)[0]);
    expect(lost).toEqual([undefined]);
  });

  test('where it has gone round more than once, no more is told than is known', () => {
    const { ring, lost } = readerOf();
    // Unlike what stood there, byte for byte: what is the same cannot be told from what was not written.
    const letters = (letter: string, bytes: number) => {
      write(letter.repeat(bytes));
      ring.poke();
    };
    letters('a', 2 * ringBytes + 6_400);
    letters('b', 64);
    letters('c', 3 * ringBytes + 6_400);
    letters('d', 64);
    expect(lost).toEqual([6_400, 6_400]);
    // A round and nothing more may be all that was written.
    letters('e', ringBytes);
    letters('f', 64);
    expect(lost.slice(2)).toEqual([undefined]);
  });

  test('where it goes on behind last words that were told without a place, that is not guessed', async () => {
    const clock = new FakeClock();
    const { ring, lost, lines } = readerOf(clock);
    const lap = (from: number) =>
      write(
        numbered(from, 3000)
          .map((line) => `${line}\n`)
          .join(''),
      );
    lap(0);
    await clock.advance(1_000);
    expect(lost).toEqual([undefined]);
    lap(10_000);
    ring.poke();
    write('more\n');
    ring.poke();
    expect(lost).toEqual([undefined, undefined]);
    expect(lines.at(-1)).toBe('more');
  });

  test('after it, nothing is lost or repeated again', () => {
    const { ring, lines, lost } = readerOf();
    write(
      numbered(0, 5000)
        .map((line) => `${line}\n`)
        .join(''),
    );
    ring.poke();
    write('x\n');
    ring.poke();
    const told = lost.length;
    const seen = lines.length;
    write(
      numbered(9000, 100)
        .map((line) => `${line}\n`)
        .join(''),
    );
    ring.poke();
    expect(lines.slice(seen)).toEqual(numbered(9000, 100));
    expect(lost.length).toBe(told);
  });
});

// Behaviour 231: No line of the console ring is shown twice, and lost lines are reported, even if more than 64 KiB of
// one repeated byte comes between two lines, or if the daemon is killed. There is one exception: if 64 KiB is followed
// by exactly the same 64 KiB, whatever it contains, the repetition is not noticed.
describe('more than a ring of one byte', () => {
  test.each(['=', ' ', '\n', '\0', 'x'])(
    'repeats no line, before or after it, however it is read: %j',
    (byte) => {
      fc.assert(
        fc.property(
          fc.array(
            fc.record({
              run: fc.constantFrom(0, 0, 0, 30_000, 65_400, 65_530, 65_536, 70_000, 131_072),
              lines: fc.integer({ min: 0, max: 5 }),
              looks: fc.constantFrom(0, 0, 1, 3, 30),
            }),
            { minLength: 1, maxLength: 20 },
          ),
          (steps) => {
            writer.close();
            writer = new RingFile(path);
            const { ring, text } = readerOf();
            let number = 0;
            for (const { run, lines: count, looks } of steps) {
              if (run > 0) write(byte.repeat(run));
              write(Array.from({ length: count }, () => `<${number++}>\n`).join(''));
              for (let look = 0; look < looks; look++) ring.poke();
            }
            ring.readToEnd();
            const seen = [...text().matchAll(/<(\d+)>/g)].map(([, n]) => Number(n));
            expect(seen).toEqual([...new Set(seen)]);
            void ring.stop();
          },
        ),
        { numRuns: 20 },
      );
    },
  );

  test('is over when a line follows it, and what came after is told once', () => {
    const { ring, text, lost } = readerOf();
    write('begin\n');
    write('='.repeat(30_000));
    ring.poke();
    write(`${'='.repeat(70_000)}\n${numbered(0, 10).join('\n')}\n`);
    ring.poke();
    write(`${numbered(10, 5).join('\n')}\n`);
    ring.poke();
    const seen = text().match(/line \d+ x*/g);
    expect(seen).toEqual(numbered(0, 15));
    expect(lost).toEqual([undefined]);
  });
});

describe('a new guest', () => {
  const begin = () => {
    writer.close();
    writer = new RingFile(path);
  };

  test('that has written less', () => {
    const { ring, lines } = readerOf();
    write('old one\nold two\n');
    ring.poke();
    begin();
    write('new\n');
    ring.poke();
    expect(lines).toEqual(['old one', 'old two', 'new']);
  });

  test('after a ring that was full', () => {
    const { ring, lines } = readerOf();
    for (let n = 0; n < 40; n++) {
      write(
        numbered(n * 100, 100)
          .map((line) => `${line}\n`)
          .join(''),
      );
      ring.poke();
    }
    begin();
    write('new\n');
    ring.poke();
    expect(lines.at(-1)).toBe('new');
    expect(lines).toHaveLength(4001);
  });

  test('that has written nothing yet', () => {
    const { ring, lines } = readerOf();
    write('old\n');
    ring.poke();
    begin();
    ring.poke();
    write('new\n');
    ring.poke();
    expect(lines).toEqual(['old', 'new']);
  });
});

test('whatever is written, and however it is cut: no line is lost or repeated while it is read in time', () => {
  const line = fc.string({ unit: 'grapheme-ascii', maxLength: 300 });
  fc.assert(
    fc.property(
      fc.array(fc.array(line, { maxLength: 40 }), { minLength: 1, maxLength: 60 }),
      fc.integer({ min: 0, max: ringBytes }),
      fc.boolean(),
      (looks, offset, withNuls) => {
        writer.close();
        writer = new RingFile(path);
        const { ring, lines, lost } = readerOf();
        // Begins anywhere in the ring.
        for (let left = offset; left > 0; left -= 1000) {
          write(`${'='.repeat(Math.min(left, 1000) - 1)}\n`);
          ring.poke();
        }
        const before = lines.length;
        const all: string[] = [];
        let number = 0;
        for (const texts of looks) {
          // Unlike in any two rounds: a ring that is written with what it holds already shows nothing.
          const some = texts.map((text) => `${number++} ${text}`);
          all.push(...some);
          write(some.map((text) => `${text}${withNuls ? '\0' : ''}\r\n`).join(''));
          ring.poke();
        }
        write('end\n');
        for (let n = 0; n < 3; n++) ring.poke();
        expect(lines.slice(before)).toEqual([...all, 'end']);
        expect(lost).toEqual([]);
      },
    ),
    { numRuns: 100 },
  );
});

test('how often it looks: fast while much comes, then as it was told', async () => {
  const clock = new FakeClock();
  const { ring, lines } = readerOf(clock);
  ring.pollEvery(5_000);
  write('quiet\n');
  await clock.advance(50);
  expect(lines).toEqual(['quiet']);
  write('x'.repeat(5000));
  await clock.advance(50);
  write('\nsoon\n');
  await clock.advance(15);
  expect(lines.at(-1)).toBe('soon');
});

test.each([1, 2])(
  'a writer that comes round behind reading %i of a look is noticed: what is lost is told, nothing comes twice',
  (reading) => {
    let onRead = (): void => undefined;
    const { ring, lines, lost } = readerOf(new FakeClock(), (from) => {
      const bytes = readRing(from);
      onRead();
      return bytes;
    });
    const lap = (from: number, count: number) =>
      write(
        numbered(from, count)
          .map((line) => `${line}\r\n`)
          .join(''),
      );
    lap(0, 100);
    ring.poke();
    lap(100, 50);
    let readings = 0;
    onRead = () => {
      if (++readings === reading) lap(150, 1_700);
    };
    ring.poke();
    for (let n = 1_850; n < 1_900; n += 10) {
      lap(n, 10);
      ring.poke();
    }
    expect(lost.length).toBeGreaterThan(0);
    const numbers = lines.map((line) => Number(/^line (\d+) /.exec(line)?.[1] ?? NaN));
    const whole = numbers.filter((number) => !Number.isNaN(number));
    expect(whole).toEqual([...new Set(whole)].sort((a, b) => a - b));
    expect(whole.slice(0, 100)).toEqual(Array.from({ length: 100 }, (_, n) => n));
    expect(whole.slice(-50)).toEqual(Array.from({ length: 50 }, (_, n) => 1_850 + n));
  },
);

describe('a ring that is silent', () => {
  /** Looks in ten seconds. */
  const looks = async (bytes: number) => {
    const clock = new FakeClock();
    let readings = 0;
    const { ring } = readerOf(clock, (from) => {
      readings++;
      return readRing(from);
    });
    write(
      numbered(0, bytes / 41)
        .map((line) => `${line}\n`)
        .join(''),
    );
    await clock.advance(1_000);
    readings = 0;
    await clock.advance(10_000);
    await ring.stop();
    return readings;
  };

  test('is looked at twenty times a second', async () =>
    expect(await looks(4_100)).toBeLessThanOrEqual(210));

  test('and no more often where its last words have no known place', async () =>
    expect(await looks(410_000)).toBeLessThanOrEqual(210));

  // Behaviour 232: While the guest is ready, a silent console ring is read only with the daemon's other checks, every
  // 5 s. After output, the ring is read twenty times a second for two seconds.
  test('is left alone once nobody is in a hurry, until it speaks', async () => {
    const clock = new FakeClock();
    const { ring, lines, lost } = readerOf(clock);
    let wakes = 0;
    const after = clock.after.bind(clock);
    clock.after = (ms, fn) =>
      after(ms, () => {
        wakes++;
        fn();
      });
    write('up\n');
    await clock.advance(1_000);
    ring.pollEvery(30_000);
    await clock.advance(2_000);
    const poke = async (seconds: number) => {
      wakes = 0;
      for (let n = 0; n < seconds; n += 5) {
        await clock.advance(5_000);
        ring.poke();
      }
      return wakes;
    };
    expect(await poke(60)).toBe(0);
    write(numbered(0, 1_000).join('\n'));
    await clock.advance(4_000);
    expect(lines).toEqual(['up']);
    ring.poke();
    expect(lines.at(-1)).toBe(numbered(998, 1)[0]);
    write('\nnext\n');
    await clock.advance(50);
    expect(lines.at(-1)).toBe('next');
    expect(lost).toEqual([]);
    await clock.advance(3_000);
    expect(await poke(60)).toBe(0);
    await clock.advance(30_000);
    expect(wakes).toBe(1);
    ring.pollEvery(100);
    await clock.advance(1_000);
    expect(wakes).toBeGreaterThan(19);
    await ring.stop();
  });

  test('of which more than a ring comes between two looks loses the oldest, and says so', async () => {
    const clock = new FakeClock();
    const { ring, lines, lost } = readerOf(clock);
    write('up\n');
    ring.pollEvery(5_000);
    await clock.advance(60_000);
    for (let n = 0; n < 40; n++) write(`${numbered(n * 100, 100).join('\n')}\n`);
    await clock.advance(6_000);
    expect(lost).toHaveLength(1);
    // Where the ring's text begins is not known: one line is told in two parts.
    const last = new Set(numbered(3_000, 1_000));
    expect(lines.filter((line) => last.has(line)).length).toBeGreaterThanOrEqual(999);
    await ring.stop();
  });

  test('is noticed when it begins again, at its next look', async () => {
    const clock = new FakeClock();
    const { ring, lines } = readerOf(clock);
    for (let n = 0; n < 30; n++) {
      await clock.advance(50 * n);
      write(`begun ${n}\n`);
      await clock.advance(50);
      expect(lines.at(-1)).toBe(`begun ${n}`);
    }
    await ring.stop();
  });

  test('is noticed within half a second where it begins with what stood there', async () => {
    const clock = new FakeClock();
    const { ring, lines } = readerOf(clock);
    for (let n = 0; n < 8; n++) {
      write('='.repeat(8_192));
      await clock.advance(50);
    }
    await clock.advance(5_000);
    write(`${'='.repeat(6_000)}\nafter\n`);
    await clock.advance(500);
    expect(lines.at(-1)).toBe('after');
    await ring.stop();
  });
});

/** Lines of 64 bytes, a megabyte in a second, never faster; says how many bytes when it is through. */
const megabyte = `
import { RingFile } from './hyperkit/ring-file.ts';
const ring = new RingFile(process.argv[2] ?? '');
let number = 0;
const timer = setInterval(() => {
  const lines = Array.from({ length: 62 }, () => String(number++).padStart(63, 'y') + '\\n');
  ring.write(Buffer.from(lines.join('')));
  if (number < 62 * 250) return;
  clearInterval(timer);
  console.log(number * 64);
}, 4);
`;

test('a megabyte a second of another process is followed without loss, at the usual interval', async () => {
  let lateMs = 0;
  let looked = performance.now();
  const clock: Clock = {
    ...systemClock,
    after: (ms, fn) =>
      systemClock.after(ms, () => {
        const before = looked;
        looked = performance.now();
        fn();
        // From look to look, the end of this one included: it may have been held up in its midst.
        lateMs = Math.max(lateMs, performance.now() - before - ms);
      }),
  };
  const { ring, lost, bytes } = readerOf(clock);
  const { code, said } = await outcome(runProgram(await makeProgram(dir, megabyte), [path]));
  await ring.stop();
  expect({ code, said }).toEqual({ code: 0, said: '992000\n' });
  // Whoever is not let run for the 15 ms that are left cannot keep up: then the loss was told.
  const isStarved = lateMs > 15;
  expect(lost.length > 0 ? isStarved : bytes() === 992_000).toBe(true);
});

/** Stores into a shared mapping, as HyperKit does: a line of hex that it is given after the other, in the first page. */
const mapper = `
import mmap, os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
ring = mmap.mmap(fd, 65536, mmap.MAP_SHARED)
os.close(fd)
at = 0
for line in sys.stdin:
    text = bytes.fromhex(line.strip())
    ring[at:at + len(text)] = text
    at += len(text)
    os.write(1, b'stored\\n')
`;
const mapping: Need = {
  what: 'Python, with mmap',
  isMet: spawnSync('python3', ['-c', 'import mmap']).status === 0,
};

test(
  'what is stored through a mapping moves no time and raises no event',
  needs(mapping),
  async () => {
    const { ring, lines } = readerOf();
    const python = spawn('python3', ['-c', mapper, path], { stdio: ['pipe', 'pipe', 'inherit'] });
    const store = async (text: string) => {
      const stored = once(python.stdout, 'data');
      python.stdin.write(`${Buffer.from(text).toString('hex')}\n`);
      await stored;
    };
    const events: string[] = [];
    const watcher = watch(path, (event) => events.push(event));
    try {
      // The first store makes the page writable, which the file system may notice.
      await store('first\r\n');
      ring.poke();
      await store('second\r\nthi');
      ring.poke();
      await store('rd\r\n');
      ring.poke();
      expect(lines).toEqual(['first', 'second', 'third']);
      expect(events).toEqual([]);
    } finally {
      watcher.close();
      python.kill();
      await once(python, 'close');
    }
  },
);

test('is quiet when it is stopped', async () => {
  const { ring, lines } = readerOf();
  await ring.stop();
  write('late\n');
  ring.poke();
  await ring.stop();
  expect(lines).toEqual([]);
});
