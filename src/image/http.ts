/** Reading from a mirror: an answer is a stream of bytes, or a failure that says what is the matter with the mirror. */
import { reasonOf, type Clock } from '../system/clock.ts';
import { Exit, Failed } from '../system/failure.ts';

export interface HttpOptions {
  readonly clock: Clock;
  readonly signal?: AbortSignal;
  /** How long no byte may come, in ms. Default 30 s. */
  readonly stallMs?: number;
}

/** What came: the bytes from `from` on, or from 0 when the server does not continue. */
export interface Answer {
  readonly from: number;
  readonly body: AsyncIterable<Uint8Array>;
}

/** Asks for a URL's bytes from an offset on. The body throws `download-stalled` when nothing comes for too long. */
export async function openUrl(url: string, from: number, options: HttpOptions): Promise<Answer> {
  const stall = new AbortController();
  const signal =
    options.signal === undefined ? stall.signal : AbortSignal.any([stall.signal, options.signal]);
  const patience = patient(url, stall, options);
  try {
    // identity: a transparent encoding would change the bytes that the size and the offset count.
    const headers = {
      'accept-encoding': 'identity',
      ...(from > 0 ? { range: `bytes=${from}-` } : {}),
    };
    const response = await fetch(url, { signal, headers });
    const continued = response.status === 206 ? rangeStart(response) : undefined;
    if (response.status === 416 || (response.status === 206 && continued !== from)) {
      await response.body?.cancel();
      if (from > 0) return await openUrl(url, 0, options);
    }
    if (!response.ok || response.body === null) throw refused(url, response.status);
    const body = response.body as AsyncIterable<Uint8Array>;
    return { from: continued ?? 0, body: watched(url, body, patience, signal) };
  } catch (error) {
    throw failureFrom(url, error, signal);
  } finally {
    patience.rest();
  }
}

/** A small text that no hash is known for. */
export async function fetchText(
  url: string,
  maxBytes: number,
  options: HttpOptions,
): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of (await openUrl(url, 0, options)).body) {
    length += chunk.length;
    if (length > maxBytes) throw refused(url, 'more bytes than such a file can have');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

async function* watched(
  url: string,
  body: AsyncIterable<Uint8Array>,
  patience: Patience,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  try {
    patience.start();
    for await (const chunk of body) {
      patience.rest();
      yield chunk;
      patience.start();
    }
  } catch (error) {
    throw failureFrom(url, error, signal);
  } finally {
    patience.rest();
  }
}

interface Patience {
  start(): void;
  rest(): void;
}

/** Counts only the time in which we wait for the server; begun at once. */
function patient(
  url: string,
  stall: AbortController,
  { clock, stallMs = 30_000 }: HttpOptions,
): Patience {
  let cancel: () => void = () => undefined;
  const patience = {
    rest: () => cancel(),
    start: () => {
      cancel();
      cancel = clock.after(stallMs, () => stall.abort(stalled(url, stallMs)));
    },
  };
  patience.start();
  return patience;
}

const rangeStart = (response: Response): number =>
  Number(/^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1] ?? -1);

/** What fetch threw, as a failure; an abort is passed on as its own reason. */
function failureFrom(url: string, error: unknown, signal: AbortSignal): Error {
  if (error instanceof Failed) return error;
  if (signal.aborted) return reasonOf(signal);
  const cause = (error as Error).cause;
  const why = cause instanceof Error ? cause.message : (error as Error).message;
  return new Failed(
    {
      kind: 'mirror-unreachable',
      message: `Nothing came from ${url}: ${why}.`,
      hint: 'Check the network, or use another mirror with --mirror URL. What was fetched is kept: run the same command again.',
      exit: Exit.unavailable,
    },
    { cause: error },
  );
}

function refused(url: string, status: number | string): Failed {
  const missing = status === 404 || status === 410;
  return new Failed({
    kind: missing ? 'not-on-mirror' : 'mirror-refused',
    message: missing ? `${url} does not exist (any more).` : `${url} answers ${status}.`,
    hint: 'Use another mirror with --mirror URL.',
    exit: Exit.unavailable,
  });
}

const stalled = (url: string, ms: number): Failed =>
  new Failed({
    kind: 'download-stalled',
    message: `${url} stopped: no byte came for ${Math.round(ms / 1000)} s.`,
    hint: 'What was fetched is kept: run the same command again, or use another mirror with --mirror URL.',
    exit: Exit.unavailable,
  });
