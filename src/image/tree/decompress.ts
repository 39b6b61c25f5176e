/** Compressed bytes -> plain bytes. The system's own xz or zstd when there is one: it works beside us, on another core. */
import { createRequire } from 'node:module';
import { Readable } from 'node:stream';
import type { Transform } from 'node:stream';
import zlib, { createGunzip } from 'node:zlib';
import { asSentence } from '../../system/advice.ts';
import { run, succeeded } from '../../system/process/child.ts';
import { whyFailed } from '../../system/process/end-words.ts';
import { Exit, Failed } from '../../system/failure.ts';
import { spawnFilter } from '../../system/process/filter.ts';

/** As a member of a .deb, or a module, has it. */
export type Compression = 'xz' | 'zstd' | 'gzip' | 'none';

/** The compression that a file's ending names. */
export function compressionOf(name: string): Compression {
  if (name.endsWith('.xz')) return 'xz';
  if (name.endsWith('.zst')) return 'zstd';
  return name.endsWith('.gz') ? 'gzip' : 'none';
}

/** The plain bytes, as they come. Damaged input is the failure `archive-broken`; `name` is for its message. */
export async function* decompressed(
  name: string,
  data: Uint8Array,
  compression: Compression,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  if (compression === 'none') yield data;
  else if (compression === 'gzip') yield* through(name, Readable.from([data]).pipe(createGunzip()));
  else if (await hasProgram(compression)) yield* native(name, data, compression, signal);
  else if (compression === 'xz') yield* wasm(name, data);
  else if (ownZstd !== undefined) yield* through(name, Readable.from([data]).pipe(ownZstd()));
  else throw noZstd(name);
}

/** Node's own, which came with 22.15 and 23.8 (Node's documentation, zlib). */
const ownZstd = (zlib as { readonly createZstdDecompress?: () => Transform }).createZstdDecompress;

/** Whether it can be unpacked here. */
export const canDecompress = async (compression: Compression): Promise<boolean> =>
  compression !== 'zstd' || ownZstd !== undefined || (await hasProgram('zstd'));

/** The same, whole. */
export async function decompressWhole(
  name: string,
  data: Uint8Array,
  compression: Compression,
  signal?: AbortSignal,
): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of decompressed(name, data, compression, signal)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function* native(
  name: string,
  data: Uint8Array,
  program: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const { output, ended } = spawnFilter(
    program,
    ['-dc'],
    data,
    signal === undefined ? {} : { signal },
  );
  for await (const chunk of output) yield chunk;
  const ran = await ended;
  signal?.throwIfAborted();
  if (!succeeded(ran)) throw broken(name, whyFailed(ran));
}

async function* wasm(name: string, data: Uint8Array): AsyncGenerator<Uint8Array> {
  // A CommonJS module whose exports Node does not see from import.
  const require = createRequire(import.meta.url);
  const { XzReadableStream } = require('xz-decompress') as typeof import('xz-decompress');
  const input = new ReadableStream<Uint8Array>({
    start: (controller) => {
      controller.enqueue(data);
      controller.close();
    },
  });
  yield* through(name, new XzReadableStream(input));
}

async function* through(name: string, plain: AsyncIterable<unknown>): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of plain) yield chunk as Uint8Array;
  } catch (error) {
    throw broken(name, (error as Error).message);
  }
}

const found = new Map<string, Promise<boolean>>();

function hasProgram(program: string): Promise<boolean> {
  const known = found.get(program) ?? run(program, ['--version']).then(succeeded);
  found.set(program, known);
  return known;
}

/** `why`: the program's words. */
export const broken = (name: string, why: string): Failed =>
  new Failed({
    kind: 'archive-broken',
    message: `Cannot unpack ${name}: ${asSentence(why)}`,
    hint: 'Its hash is correct, so it is broken on the mirror too, or this machine is faulty. Try again, then try another mirror with --mirror URL.',
    exit: Exit.dataError,
  });

export const noZstd = (name: string): Failed =>
  new Failed({
    kind: 'zstd-missing',
    message: `${name} is compressed with zstd, but the program zstd is not installed.`,
    hint: 'Install it: apt-get install zstd, or brew install zstd',
    exit: Exit.unavailable,
  });
