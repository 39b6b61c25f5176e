/** The guest's console: whatever a guest writes, however it comes in pieces. */
import { appendFileSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from './fast-check.ts';
import { afterAll, describe, expect } from 'vitest';
import { failureOfStage, readLine } from '../../src/guest/console/boot.ts';
import { consoleText } from '../../src/guest/console/console-log.ts';
import { openConsole } from '../../src/guest/console/console.ts';
import { unreadInRing } from '../../src/guest/console/last-words.ts';
import { ringBytes } from '../../src/guest/console/ring-bytes.ts';
import { nixAnswer } from '../../src/guest/login/nix-question.ts';
import { ProbeAnswer } from '../../src/guest/login/probe-answer.ts';
import { LineSplitter } from '../../src/system/files/line-splitter.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { RingFile } from '../rig/hyperkit/ring-file.ts';
import { anyBytes, chunked, garbled, holds } from './property.ts';
import { removeTree } from '../remove-tree.ts';

const dir = mkdtempSync(join(tmpdir(), 'fuzz-console-'));
afterAll(() => removeTree(dir));

const boot = [
  'linuxkit-builder: stage=disk uptime=1.25\r\n',
  '[    0.000000] Linux version 6.1.0 (x@y)\r\r\n<6>[    1.5] linuxkit-builder: stage=init uptime=1\n',
  'linuxkit-builder: failed=disk-broken uptime=2 reason=odd\nKernel panic - not syncing: no init\n',
];
const output = fc.oneof(
  anyBytes(),
  garbled(boot, ['\r\n', '\r\r\n', '\x1b[2J', '\x1b]0;', '\xc3', '\xe2\x80\xae']),
);

const splitAll = (chunks: readonly Uint8Array[], max?: number): string[] => {
  const splitter = new LineSplitter(max);
  return [...chunks.flatMap((chunk) => splitter.push(chunk)), ...splitter.end()];
};

describe('lines', () => {
  holds(
    'are the same however the bytes come',
    3000,
    fc.property(chunked(output), fc.integer({ min: 1, max: 60 }), ({ whole, chunks }, max) => {
      expect(splitAll(chunks, max)).toEqual(splitAll([whole], max));
      for (const line of splitAll(chunks, max)) {
        expect(line).not.toMatch(/[\r\n\0]/);
        expect(Buffer.byteLength(line.replaceAll('\ufffd', '?'))).toBeLessThanOrEqual(max + 6);
      }
    }),
  );
  holds(
    'steer no terminal',
    2000,
    fc.property(output, (bytes) => {
      for (const line of splitAll([bytes]).map(consoleText))
        expect(line).not.toMatch(/[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/);
    }),
  );
  holds(
    'are milestones or not',
    2000,
    fc.property(output, (bytes) => {
      for (const line of splitAll([bytes])) {
        const milestone = readLine(line);
        if (milestone?.type === 'stage' || milestone?.type === 'failed') {
          expect(milestone.name).toMatch(/^[a-z][a-z0-9-]*$/);
          expect(milestone.uptimeS).toBeGreaterThanOrEqual(0);
        }
        if (milestone?.type === 'failed') expect(failureOfStage(milestone).hint).not.toBe('');
      }
    }),
  );
});

describe('a console file', () => {
  const kind = fc.constantFrom('append' as const, 'ring' as const);
  let number = 0;
  holds(
    'gives its lines, however it grows',
    60,
    fc.asyncProperty(chunked(output), kind, async ({ whole, chunks }, how) => {
      // A ring takes zeros for what was never written.
      fc.pre(how === 'append' || !whole.includes(0));
      const clock = new FakeClock();
      const path = join(dir, `console-${number++}`);
      const texts: string[] = [];
      const console = openConsole({
        path,
        logPath: join(dir, 'log'),
        kind: how,
        clock,
        onLine: ({ text }) => texts.push(text),
      });
      const ring = how === 'ring' ? new RingFile(path) : undefined;
      for (const chunk of chunks) {
        if (ring === undefined) appendFileSync(path, chunk);
        else ring.write(chunk);
        console.poke();
      }
      await console.close();
      ring?.close();
      const expected = splitAll([whole]).map(consoleText);
      expect(texts).toEqual(expected);
      expect(clock.pending).toBe(0);
    }),
  );
  const texts = fc.array(fc.constantFrom('a', 'b', 'c', 'boot', ''), { maxLength: 12 });
  holds(
    'that was left unread gives no line that is not there',
    200,
    fc.property(texts, texts, fc.boolean(), (lines, known, isFull) => {
      const filler = 'f'.repeat(1_023);
      const text = `${isFull ? '\n' : ''}${lines.map((line) => `${line}\n`).join('')}`;
      const ring = Buffer.alloc(ringBytes, isFull ? `${filler}\n` : 0);
      ring.write(text, isFull ? ringBytes - text.length : 0);
      const unread = unreadInRing(ring, known).lines;
      const there = new Set([
        ...lines,
        ...(isFull ? ['', filler, filler.slice(text.length - 1)] : []),
      ]);
      expect(unread.filter((line) => !there.has(line))).toEqual([]);
      expect(unread.length).toBeLessThanOrEqual(lines.length + (isFull ? 65 : 0));
    }),
  );
});

describe('a probe’s answer', () => {
  const nix = Buffer.from(
    '1767323045.123456789\noixd\0\0\0\0\x0a\x01\0\0\0\0\0\0stla\0\0\0\0stla\0\0\0\0\0\0\0\0\0\0\0\0',
    'latin1',
  );
  holds(
    'means the same however it comes, and is soon enough or garbled',
    1000,
    fc.property(
      chunked(fc.oneof(garbled([nix], ['%N', '.']), anyBytes(200))),
      ({ whole, chunks }) => {
        const clock = new FakeClock();
        const [once, pieces] = [new ProbeAnswer(clock), new ProbeAnswer(clock)];
        once.take(whole);
        let done = false;
        for (const chunk of chunks) done ||= pieces.take(chunk);
        expect(pieces.clockOffsetMs()).toEqual(once.clockOffsetMs());
        expect(Number.isNaN(pieces.clockOffsetMs())).toBe(false);
        if (!pieces.isGarbled) expect(pieces.nix).toEqual(once.nix);
        if (!done) expect(pieces.nix.kind).toBe('incomplete');
      },
    ),
  );
  holds(
    'of a nix daemon is one of four, whatever it is',
    1000,
    fc.property(fc.oneof(garbled([nix.subarray(21)], ['stla']), anyBytes(200)), (bytes) => {
      const { kind } = nixAnswer(Buffer.from(bytes));
      expect(['incomplete', 'answered', 'stranger', 'refused']).toContain(kind);
    }),
  );
});
