/** What the fuzz tests share: how long they run, and bytes that are nearly what is expected. */
import fc from './fast-check.ts';
import { test } from 'vitest';

/** `FUZZ_RUNS=50` tries fifty times as much as a normal run does. */
const times = Number(process.env['FUZZ_RUNS'] ?? 1);
const limitMs = 180_000 * times;

/** A test of a property. `runs` are so many that a file takes a second or two. */
export function holds<Ts>(
  name: string,
  runs: number,
  property: fc.IAsyncProperty<Ts> | fc.IProperty<Ts>,
): void {
  const numRuns = Math.ceil(runs * times);
  test(
    name,
    async () => {
      await fc.assert(property, { numRuns });
    },
    limitMs,
  );
}

/** Any bytes at all. */
export const anyBytes = (maxLength = 400): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ maxLength }).map((bytes) => Buffer.from(bytes));

/** One of these, damaged: cut, with bytes changed, put in, taken out or said twice. Whole now and then. */
export function garbled(
  originals: readonly (string | Buffer)[],
  words: readonly string[] = [],
): fc.Arbitrary<Buffer> {
  const piece = fc.oneof(
    anyBytes(6),
    fc.constantFrom('\n', '\r', '\0', '"', '{}', '[', '-1', '1e999', 'null', ...words).map(latin1),
  );
  const damage = fc.record({ at: fc.nat(), length: fc.nat({ max: 12 }), piece });
  return fc
    .tuple(fc.constantFrom(...originals.map(bytesOf)), fc.array(damage, { maxLength: 4 }))
    .map(([original, damages]) => damages.reduce(harm, original));
}

interface Damage {
  readonly at: number;
  readonly length: number;
  readonly piece: Buffer;
}

function harm(bytes: Buffer, { at, length, piece }: Damage): Buffer {
  const from = at % (bytes.length + 1);
  return Buffer.concat([bytes.subarray(0, from), piece, bytes.subarray(from + length)]);
}

/** The bytes in pieces, in every way to cut them. */
export const chunked = (bytes: fc.Arbitrary<Buffer>): fc.Arbitrary<Chunked> =>
  fc.tuple(bytes, fc.array(fc.nat(), { maxLength: 12 })).map(([whole, cuts]) => {
    const at = [...new Set(cuts.map((cut) => cut % (whole.length + 1)))].sort((a, b) => a - b);
    const edges = [0, ...at, whole.length];
    return { whole, chunks: edges.slice(1).map((end, n) => whole.subarray(edges[n], end)) };
  });

export interface Chunked {
  readonly whole: Buffer;
  readonly chunks: readonly Buffer[];
}

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');
const bytesOf = (what: string | Buffer): Buffer =>
  typeof what === 'string' ? Buffer.from(what) : what;
