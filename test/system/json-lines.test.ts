import { mkdtempSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { JsonLines, type JsonLinesOptions } from '../../src/system/socket/json-lines.ts';
import { removeTree } from '../remove-tree.ts';

let dir: string;
let server: Server;
let ours: Socket;
let theirs: Socket;
let got: unknown[];

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'lines-'));
  got = [];
  server = createServer();
  await new Promise<void>((resolve) => server.listen(join(dir, 's'), resolve));
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
  ours = connect(join(dir, 's'));
  theirs = await accepted;
});
afterEach(() => {
  ours.destroy();
  theirs.destroy();
  server.close();
  removeTree(dir);
});

/** Everything that is reported, in order, until the connection ends. */
const listen = (options: Partial<JsonLinesOptions> = {}) => {
  let lines!: JsonLines;
  const ended = new Promise<unknown[]>((resolve) => {
    lines = new JsonLines(ours, {
      onValue: (value) => got.push(value),
      onBroken: (problem) => got.push(`broken: ${problem}`),
      onClosed: (why) => {
        got.push(`closed: ${why}`);
        resolve(got);
      },
      ...options,
    });
  });
  return { lines, ended };
};
const closed = 'closed: the other end closed the connection';

describe('JsonLines', () => {
  test('gives values whatever the chunks, with \\r\\n, empty lines and a last line without end', async () => {
    const { ended } = listen();
    const text = '{"a":"ü"}\r\n\r\n[1]\n\n"last"';
    for (const byte of Buffer.from(text)) {
      theirs.write(Buffer.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    theirs.end();
    expect(await ended).toEqual([{ a: 'ü' }, [1], 'last', closed]);
  });

  test('reports garbage and goes on', async () => {
    const { ended } = listen();
    theirs.end('{"half":\n\0\x01\n{"ok":true}\n');
    expect(await ended).toEqual([
      'broken: not JSON: "{\\"half\\":"',
      'broken: not JSON: "\\u0000\\u0001"',
      { ok: true },
      closed,
    ]);
  });

  test('forgets what came before a 0xff', async () => {
    const { ended } = listen();
    theirs.write('rubbish without end');
    theirs.end(Buffer.concat([Buffer.of(0xff), Buffer.from('{"return":7}\n')]));
    expect(await ended).toEqual([{ return: 7 }, closed]);
  });

  test('drops a line that is nested too deeply, and no other', async () => {
    const { ended } = listen({ maxDepth: 4 });
    const deep = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);
    theirs.write(`${deep(5)}\n{"error":${deep(200_000)}}\n{"a":[{"b":${deep(2)}}]}\n`);
    theirs.end(`["[[[[[[\\"[[[[",[],[],[],[],[],"\\\\"]\n${deep(4)}\n`);
    const broken = 'broken: a value that is nested too deeply';
    const flat = ['[[[[[["[[[[', [], [], [], [], [], '\\'];
    expect(await ended).toEqual([broken, broken, broken, flat, [[[[]]]], closed]);
  });

  test('closes the connection when a value is more than its taker can bear', async () => {
    const { ended } = listen({
      onValue: (value) => {
        got.push(value);
        if (value === 2) throw new RangeError('too much');
      },
    });
    theirs.on('error', () => undefined).write('1\n2\n3\n');
    expect(await ended).toEqual([
      1,
      2,
      'closed: the message of the other end could not be handled (RangeError: too much)',
    ]);
  });

  test('quotes garbage without what a terminal obeys', async () => {
    const { ended } = listen();
    theirs.end('\u009b2Jx\u202ey\u200b\n');
    expect(await ended).toEqual(['broken: not JSON: "2Jxy"', closed]);
  });

  test('drops a line that is too long, keeps nothing of it, and goes on', async () => {
    const { ended } = listen({ maxLineBytes: 1000 });
    theirs.write('x'.repeat(3_000_000));
    theirs.end('"still the same line"\n{"next":1}\n');
    expect(await ended).toEqual(['broken: a line that is too long', { next: 1 }, closed]);
  });

  test('holds a line in few pieces, in however many it comes', async () => {
    const concat = vi.spyOn(Buffer, 'concat');
    try {
      const { ended } = listen();
      // As if each byte had come by itself.
      for (let n = 0; n < 5_000; n++) ours.emit('data', Buffer.from(' '));
      theirs.end('"word"\n');
      expect(await ended).toEqual(['word', closed]);
      expect(Math.max(...concat.mock.calls.map(([pieces]) => pieces.length))).toBeLessThan(2_000);
    } finally {
      concat.mockRestore();
    }
  });

  test('sends values and raw bytes; what was sent before close() arrives', async () => {
    const { lines } = listen();
    const received: Buffer[] = [];
    const end = new Promise((resolve) => theirs.on('close', resolve));
    theirs.on('data', (chunk) => received.push(chunk));
    expect(lines.send({ execute: 'x' })).toBe(true);
    expect(lines.write(Buffer.of(0xff))).toBe(true);
    lines.close();
    expect(lines.send('after')).toBe(false);
    await end;
    expect(Buffer.concat(received).toString('latin1')).toBe('{"execute":"x"}\n\xff');
    expect(got).toEqual([]);
  });

  test('cuts off a peer that does not read', async () => {
    const { lines, ended } = listen({ maxUnreadBytes: 100_000 });
    theirs.pause();
    let sent = 0;
    while (lines.send('y'.repeat(10_000))) sent += 1;
    expect(sent).toBeLessThan(1000);
    expect(await ended).toEqual(['closed: the other end does not read what is sent']);
    expect(lines.send(1)).toBe(false);
  });
});
