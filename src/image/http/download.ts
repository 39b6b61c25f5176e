/**
 * Files of a known hash, fetched in parallel into a directory. A file there named by its SHA-256 has been verified; one
 * that is not yet whole is called `HASH.partial`, is only ever continued, and never believed.
 */
import { refusal } from '../../system/files/reasons.ts';
import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { reasonOf } from '../../system/time/clock.ts';
import { Exit, Failed, type Failure } from '../../system/failure.ts';
import { makeDirectory, sizeIfThere } from '../../system/files/files.ts';
import { withOperationLock } from '../../system/lock/lock.ts';
import { meterOf, type DownloadProgress, type Meter } from './download-meter.ts';
import { readUrl, type FetchedBody, type HttpOptions } from './http.ts';
import { Passing, patiently } from './retry.ts';

export type { DownloadProgress } from './download-meter.ts';

/** One file to have. */
export interface Wanted {
  /** For people. */
  readonly name: string;
  readonly url: string;
  readonly sha256: string;
  /** In bytes. */
  readonly size: number;
}

/** Where files go, how many come at a time, and who is told. */
export interface DownloadOptions extends HttpOptions {
  readonly directory: string;
  readonly onProgress?: (progress: DownloadProgress) => void;
  /** Called once when another process downloads into the same directory, and we wait for it. */
  readonly onWaiting?: () => void;
  /** Called for a file that cannot be had; true goes on without it. */
  readonly onGone?: (wanted: Wanted, failure: Failure) => boolean;
  /** Files at a time. Default 5. */
  readonly parallel?: number;
}

/** Where a file of that hash is kept. */
export const cachedPath = (directory: string, sha256: string): string => join(directory, sha256);

/** Whether all seem to be there, by their sizes; that they are what they should be is seen when they are used. */
export const areCached = (
  files: readonly { readonly sha256: string; readonly size: number }[],
  directory: string,
): boolean =>
  files.every(({ sha256, size }) => sizeIfThere(cachedPath(directory, sha256)) === size);

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
  await withOperationLock(join(directory, 'downloading'), section, async (lost) => {
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
    for (const each of queue)
      await fetchOne(each, options, meter).catch((error: unknown) => {
        const isGone = error instanceof Failed && options.onGone?.(each, error.failure) === true;
        if (!isGone) throw error;
      });
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
  if (found === size && (await hashOf(path, signal)).digest('hex') === sha256) return true;
  await rm(path, { force: true });
  return false;
}

async function fetchOne(wanted: Wanted, options: DownloadOptions, meter: Meter): Promise<void> {
  const partial = `${cachedPath(options.directory, wanted.sha256)}.partial`;
  const isWhole = async () => {
    const sum = (await hashOf(partial, options.signal)).digest('hex');
    if (sum === wanted.sha256) return true;
    await rm(partial, { force: true });
    return sum;
  };
  const fetch = () => patiently(options, () => fetchRest(wanted, partial, options, meter));
  const continued = await fetch();
  let found = await isWhole();
  // A part from an earlier day may be what is wrong: once more, from the beginning.
  if (found !== true && continued) {
    await fetch();
    found = await isWhole();
  }
  if (found !== true) throw wrongHash(wanted, found);
  await rename(partial, cachedPath(options.directory, wanted.sha256));
}

/** Gets what is missing of a partial file. True when there was something to continue. */
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
    const from = had < wanted.size ? had : 0;
    return await readUrl(wanted.url, from, options, async (answer) => {
      await append(file, answer, wanted, partial, meter);
      return answer.from > 0;
    });
  } finally {
    await file.close();
  }
}

async function append(
  file: FileHandle,
  { from, body }: FetchedBody,
  wanted: Wanted,
  partial: string,
  meter: Meter,
): Promise<void> {
  await file.truncate(from);
  let position = from;
  meter.at(wanted, position);
  for await (const chunk of body) {
    if (position + chunk.length > wanted.size) throw tooLong(wanted);
    await write(file, chunk, position, partial);
    position += chunk.length;
    meter.at(wanted, position);
  }
  if (position < wanted.size) throw truncated(wanted, position);
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

async function hashOf(path: string, signal: AbortSignal | undefined): Promise<Hash> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) {
    if (signal?.aborted === true) throw reasonOf(signal);
    hash.update(chunk as Uint8Array);
  }
  return hash;
}

const damaged = (kind: string, message: string) => ({
  kind,
  message,
  hint: 'Run the same command again, or use another mirror with --mirror URL.',
  exit: Exit.dataError,
});

/** All of it came, and it is not what was signed for. */
export const wrongHash = ({ name, url, sha256 }: Wanted, found: string): Failed =>
  new Failed(
    damaged(
      'download-wrong-hash',
      `${name} from ${url} has the wrong SHA-256: ${found} instead of ${sha256}.`,
    ),
  );

/** May pass: what came is continued. */
export const truncated = ({ name, url, size }: Wanted, bytes: number): Passing =>
  new Passing(
    damaged('download-truncated', `${name} from ${url} is incomplete: ${bytes} of ${size} bytes.`),
  );

/** It is cut off there: no more is read than was signed for. */
export const tooLong = ({ name, url, size }: Wanted): Failed =>
  new Failed(
    damaged('download-too-long', `${name} from ${url} is larger than the expected ${size} bytes.`),
  );

/** `path`: where it was to be written. */
export function cannotKeep(path: string, error: unknown): Failed {
  return new Failed(
    {
      kind: 'cannot-write',
      message: `Cannot write ${path}: ${refusal(error)}.`,
      hint: 'Free some space or check the owner of that directory, then run the same command again.',
      exit: Exit.cannotCreate,
    },
    { cause: error },
  );
}
