/**
 * Files of a known hash, fetched in parallel into a directory. A file there named by its SHA-256 has been verified; one
 * that is not yet whole is called `HASH.partial`, is only ever continued, and never believed.
 */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { reasonOf } from '../system/clock.ts';
import { Exit, Failed } from '../system/failure.ts';
import { makeDirectory, sizeIfThere } from '../system/files.ts';
import { inSection } from '../system/lock.ts';
import { openUrl, type HttpOptions } from './http.ts';

/** One file to have. */
export interface Wanted {
  /** For people. */
  readonly name: string;
  readonly url: string;
  readonly sha256: string;
  /** In bytes. */
  readonly size: number;
}

export interface DownloadProgress {
  /** The file that moved last. */
  readonly name: string;
  readonly bytes: number;
  readonly totalBytes: number;
  readonly bytesPerSecond: number;
}

export interface DownloadOptions extends HttpOptions {
  readonly directory: string;
  readonly onProgress?: (progress: DownloadProgress) => void;
  /** Called once when another process downloads into the same directory, and we wait for it. */
  readonly onWaiting?: () => void;
  /** Files at a time. Default 5. */
  readonly parallel?: number;
  /** How often a connection that broke is taken up again, and how long is waited first. Default 3, 500 ms. */
  readonly retries?: number;
  readonly retryMs?: number;
}

/** Where a file of that hash is kept. */
export const cachedPath = (directory: string, sha256: string): string => join(directory, sha256);

/** Makes sure of every file. The first one that cannot be had ends the others; what they have got is kept for the next time. */
export async function downloadAll(
  wanted: readonly Wanted[],
  options: DownloadOptions,
): Promise<void> {
  const { directory, clock, signal, onWaiting } = options;
  makeDirectory(directory);
  const section = {
    clock,
    ...(signal === undefined ? {} : { signal }),
    ...(onWaiting === undefined ? {} : { onWaiting }),
  };
  // Two writers of one partial file would spoil it for both.
  await inSection(join(directory, 'downloading'), section, async (lost) => {
    const stop = new AbortController();
    const signals = signal === undefined ? [lost] : [lost, signal];
    const all = { ...options, signal: AbortSignal.any([stop.signal, ...signals]) };
    const missing: Wanted[] = [];
    for (const each of wanted) if (!(await isCached(each, all))) missing.push(each);
    await fetchAll(missing, all, stop);
  });
}

async function fetchAll(
  missing: readonly Wanted[],
  options: DownloadOptions,
  stop: AbortController,
) {
  const meter = meterOf(missing, options);
  const queue = missing.values();
  const worker = async () => {
    for (const each of queue) await fetchOne(each, options, meter);
  };
  const workers = Array.from({ length: options.parallel ?? 5 }, () =>
    worker().catch((error: unknown) => {
      stop.abort(error);
      throw error;
    }),
  );
  const results = await Promise.allSettled(workers);
  if (results.some(({ status }) => status === 'rejected')) throw reasonOf(options.signal);
}

/** True when the file is there and has its hash; one that has not is removed. */
async function isCached(
  { sha256, size }: Wanted,
  { directory, signal }: DownloadOptions,
): Promise<boolean> {
  if (signal?.aborted === true) throw reasonOf(signal);
  const path = cachedPath(directory, sha256);
  const found = sizeIfThere(path);
  if (found === undefined) return false;
  if (found === size && (await hashOf(path)).digest('hex') === sha256) return true;
  await rm(path, { force: true });
  return false;
}

async function fetchOne(wanted: Wanted, options: DownloadOptions, meter: Meter): Promise<void> {
  const partial = `${cachedPath(options.directory, wanted.sha256)}.partial`;
  const retries = options.retries ?? 3;
  for (let attempt = 0; ; attempt++)
    try {
      const continued = await fetchRest(wanted, partial, options, meter);
      const sum = (await hashOf(partial)).digest('hex');
      if (sum === wanted.sha256) break;
      await rm(partial, { force: true });
      // A part from an earlier day may be what is wrong: once more, from the beginning.
      if (!continued) throw wrongHash(wanted, sum);
    } catch (error) {
      if (!(error instanceof Failed) || !broke.has(error.failure.kind) || attempt >= retries)
        throw error;
      await options.clock.sleep((options.retryMs ?? 500) * 2 ** attempt, options.signal);
    }
  await rename(partial, cachedPath(options.directory, wanted.sha256));
}

/** Failures of a connection, which another try can mend. */
const broke = new Set(['download-stalled', 'download-truncated', 'mirror-unreachable']);

/** Appends what is missing of a partial file. True when there was something to continue. */
async function fetchRest(
  wanted: Wanted,
  partial: string,
  options: DownloadOptions,
  meter: Meter,
): Promise<boolean> {
  const file = await openPartial(partial);
  try {
    const { size: had } = await file.stat();
    if (had === wanted.size) return true;
    const answer = await openUrl(wanted.url, had < wanted.size ? had : 0, options);
    await file.truncate(answer.from);
    let position = answer.from;
    meter.at(wanted, position);
    for await (const chunk of answer.body) {
      if (position + chunk.length > wanted.size) throw tooLong(wanted);
      await write(file, chunk, position, partial);
      position += chunk.length;
      meter.at(wanted, position);
    }
    if (position < wanted.size) throw truncated(wanted, position);
    return answer.from > 0;
  } finally {
    await file.close();
  }
}

async function openPartial(partial: string): Promise<FileHandle> {
  try {
    return await open(partial, sizeIfThere(partial) === undefined ? 'wx+' : 'r+', 0o600);
  } catch (error) {
    throw cannotKeep(partial, error);
  }
}

async function write(file: FileHandle, chunk: Uint8Array, position: number, path: string) {
  try {
    await file.write(chunk, 0, chunk.length, position);
  } catch (error) {
    throw cannotKeep(path, error);
  }
}

async function hashOf(path: string): Promise<Hash> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 }))
    hash.update(chunk as Uint8Array);
  return hash;
}

interface Meter {
  /** A file has that many bytes now. */
  at(wanted: Wanted, bytes: number): void;
}

/** Adds up what all files have; the rate is that of this run, not of what was there before. */
function meterOf(missing: readonly Wanted[], { clock, onProgress }: DownloadOptions): Meter {
  const totalBytes = missing.reduce((sum, { size }) => sum + size, 0);
  const start = clock.monotonic();
  const bytesOf = new Map<Wanted, number>();
  let bytes = 0;
  let fresh = 0;
  return {
    at(wanted, now) {
      const before = bytesOf.get(wanted);
      bytesOf.set(wanted, now);
      bytes += now - (before ?? 0);
      fresh += Math.max(0, now - (before ?? now));
      const seconds = Math.max(0.001, (clock.monotonic() - start) / 1000);
      onProgress?.({ name: wanted.name, bytes, totalBytes, bytesPerSecond: fresh / seconds });
    },
  };
}

const damaged = (kind: string, message: string): Failed =>
  new Failed({
    kind,
    message,
    hint: 'Run the same command again, or use another mirror with --mirror URL.',
    exit: Exit.dataError,
  });

const wrongHash = ({ name, url, sha256 }: Wanted, found: string): Failed =>
  damaged(
    'download-wrong-hash',
    `${name} from ${url} is not what was promised: its SHA-256 is ${found}, not ${sha256}.`,
  );

const truncated = ({ name, url, size }: Wanted, bytes: number): Failed =>
  damaged('download-truncated', `${name} from ${url} ended after ${bytes} of ${size} bytes.`);

const tooLong = ({ name, url, size }: Wanted): Failed =>
  damaged('download-too-long', `${name} from ${url} has more than its ${size} bytes.`);

function cannotKeep(path: string, error: unknown): Failed {
  const why = error instanceof Error ? error.message : String(error);
  return new Failed(
    {
      kind: 'cannot-write',
      message: `Cannot write ${path}: ${why}.`,
      hint: 'Free some space, or check the owner of that directory, and run the same command again.',
      exit: Exit.cannotCreate,
    },
    { cause: error },
  );
}
