/**
 * One file of a known hash in a directory. Named by its SHA-256 it has been verified; one that is not yet whole is called
 * `HASH.partial`, is only ever continued, and never believed.
 */
import { createHash, type Hash } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { Exit, Failed } from '../../system/failure.ts';
import { sizeIfThere } from '../../system/files/files.ts';
import { refusal } from '../../system/files/reasons.ts';
import { reasonOf } from '../../system/time/clock.ts';
import type { Meter } from './download-meter.ts';
import { readUrl, type FetchedBody, type HttpOptions } from './http.ts';
import { Passing, withRetries } from './retry.ts';
import { linkStatsIfThere } from '../../system/stats.ts';

/** One file to have. */
export interface FileToFetch {
  /** For people. */
  readonly name: string;
  readonly url: string;
  readonly sha256: string;
  /** In bytes. */
  readonly size: number;
}

/** Where a file of that hash is kept. */
export const cachedPath = (directory: string, sha256: string): string => join(directory, sha256);

/** Whether all seem to be there, by their sizes; that they are what they should be is seen when they are used. */
export const areCached = (
  files: readonly { readonly sha256: string; readonly size: number }[],
  directory: string,
): boolean =>
  files.every(({ sha256, size }) => sizeIfThere(cachedPath(directory, sha256)) === size);

/** True when the file is there and has its hash; one that has not is removed. */
export async function isCached(
  { sha256, size }: FileToFetch,
  { directory, signal }: FetchOptions,
): Promise<boolean> {
  if (signal?.aborted === true) throw reasonOf(signal);
  const path = cachedPath(directory, sha256);
  const found = sizeIfThere(path);
  if (found === undefined) return false;
  if (found === size && (await hashOf(path, signal)).digest('hex') === sha256) return true;
  await rm(path, { force: true });
  return false;
}

interface FetchOptions extends HttpOptions {
  readonly directory: string;
}

const { O_RDWR, O_CREAT, O_NOFOLLOW } = constants;

/** One that is not yet whole. Where its name is a link, that was put there by somebody else: what it leads to is not ours to write. */
export class PartialFile {
  readonly #wanted: FileToFetch;
  readonly #options: FetchOptions;
  readonly #meter: Meter;
  readonly #path: string;

  constructor(wanted: FileToFetch, options: FetchOptions, meter: Meter) {
    this.#wanted = wanted;
    this.#options = options;
    this.#meter = meter;
    this.#path = `${cachedPath(options.directory, wanted.sha256)}.partial`;
  }

  /** Gets what is missing, and gives it its name. */
  async complete(): Promise<void> {
    const fetch = () => withRetries(this.#options, () => this.#fetchRest());
    const continued = await fetch();
    let found = await this.#isWhole();
    // A part from an earlier day may be what is wrong: once more, from the beginning.
    if (found !== true && continued) {
      await fetch();
      found = await this.#isWhole();
    }
    if (found !== true) throw wrongHash(this.#wanted, found);
    await rename(this.#path, cachedPath(this.#options.directory, this.#wanted.sha256));
  }

  /** Else its hash; then it is removed. */
  async #isWhole(): Promise<true | string> {
    const sum = (await hashOf(this.#path, this.#options.signal)).digest('hex');
    if (sum === this.#wanted.sha256) return true;
    await rm(this.#path, { force: true });
    return sum;
  }

  /** True when there was something to continue. */
  async #fetchRest(): Promise<boolean> {
    const { url, size } = this.#wanted;
    const file = await this.#open();
    try {
      const { size: had } = await file.stat();
      if (had === size) return true;
      return await readUrl(url, had < size ? had : 0, this.#options, async (answer) => {
        await this.#append(file, answer);
        return answer.from > 0;
      });
    } finally {
      await file.close();
    }
  }

  async #append(file: FileHandle, { from, body }: FetchedBody): Promise<void> {
    const wanted = this.#wanted;
    await file.truncate(from);
    let position = from;
    this.#meter.at(wanted, position);
    for await (const chunk of body) {
      if (position + chunk.length > wanted.size) throw tooLong(wanted);
      await this.#write(file, chunk, position);
      position += chunk.length;
      this.#meter.at(wanted, position);
    }
    if (position < wanted.size) throw truncated(wanted, position);
  }

  async #open(): Promise<FileHandle> {
    try {
      const stats = linkStatsIfThere(this.#path);
      if (stats?.isSymbolicLink() === true) await rm(this.#path);
      return await open(this.#path, O_RDWR | O_CREAT | O_NOFOLLOW, 0o600);
    } catch (error) {
      throw cannotKeep(this.#path, error);
    }
  }

  async #write(file: FileHandle, chunk: Uint8Array, position: number): Promise<void> {
    try {
      // The last bytes of room, or a limit, cut a write short without an error; what is left of it has one.
      for (let written = 0; written < chunk.length;) {
        const left = chunk.subarray(written);
        written += (await file.write(left, 0, left.length, position + written)).bytesWritten;
      }
    } catch (error) {
      throw cannotKeep(this.#path, error);
    }
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
export const wrongHash = ({ name, url, sha256 }: FileToFetch, found: string): Failed =>
  new Failed(
    damaged(
      'download-wrong-hash',
      `${name} from ${url} has the wrong SHA-256: ${found} instead of ${sha256}.`,
    ),
  );

/** May pass: what came is continued. */
export const truncated = ({ name, url, size }: FileToFetch, bytes: number): Passing =>
  new Passing(
    damaged('download-truncated', `${name} from ${url} is incomplete: ${bytes} of ${size} bytes.`),
  );

/** It is cut off there: no more is read than was signed for. */
export const tooLong = ({ name, url, size }: FileToFetch): Failed =>
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
