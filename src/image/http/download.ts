/** Files of a known hash, fetched in parallel into a directory. */
import { join } from 'node:path';
import { Failed, type Failure } from '../../system/failure.ts';
import { makeDirectory } from '../../system/files/files.ts';
import { withOperationLock } from '../../system/lock/lock.ts';
import { reasonOf } from '../../system/time/clock.ts';
import { PartialFile, isCached, type FileToFetch } from './cached-file.ts';
import { meterOf, type DownloadProgress } from './download-meter.ts';
import type { HttpOptions } from './http.ts';

export type { DownloadProgress } from './download-meter.ts';

/** Where files go, how many come at a time, and who is told. */
export interface DownloadOptions extends HttpOptions {
  readonly directory: string;
  readonly onProgress?: (progress: DownloadProgress) => void;
  /** Called once when another process downloads into the same directory, and we wait for it. */
  readonly onWaiting?: () => void;
  /** Called for a file that cannot be had; true goes on without it. */
  readonly onGone?: (wanted: FileToFetch, failure: Failure) => boolean;
  /** Files at a time. Default 5. */
  readonly parallel?: number;
}

/** Makes sure of every file. The first one that cannot be had ends the others; what they have got is kept for the next time. */
export async function downloadAll(
  wanted: readonly FileToFetch[],
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
    const missing: FileToFetch[] = [];
    for (const each of wanted) if (!(await isCached(each, all))) missing.push(each);
    await fetchAll(missing, all, stop);
  });
}

async function fetchAll(
  missing: readonly FileToFetch[],
  options: DownloadOptions,
  stop: AbortController,
) {
  const meter = meterOf(missing, options);
  const queue = missing.values();
  const worker = async () => {
    for (const each of queue)
      await new PartialFile(each, options, meter).complete().catch((error: unknown) => {
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
