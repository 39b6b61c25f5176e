/** Reading from a mirror: an answer is a stream of bytes, or a failure that says what is the matter with the mirror. */
import { addAbortListener } from 'node:events';
import { reasonOf, type Clock } from '../../system/time/clock.ts';
import { Failed } from '../../system/failure.ts';
import { answered, isPage, refused, stalled, unreachable } from '../mirror/mirror-failure.ts';
import { withRetries, type RetryOptions } from './retry.ts';
import { straight, type WebReply, type Web } from './web.ts';

/** How patient one request is, and its way. */
export interface HttpOptions extends RetryOptions {
  /** How long no byte may come, in ms. Default 30 s. */
  readonly stallMs?: number;
  /** The way there, which knows of proxies and certificates. Straight when left out. */
  readonly web?: Web;
}

/** What came: the bytes from `from` on, or from 0 when the server does not continue. */
export interface FetchedBody {
  readonly from: number;
  readonly body: AsyncIterable<Uint8Array>;
}

/**
 * Asks for a URL's bytes from an offset on, and has them read by `use`; when that is over so is the connection. Throws
 * `download-stalled` when nothing comes for too long.
 */
export async function readUrl<T>(
  url: string,
  from: number,
  options: HttpOptions,
  use: (answer: FetchedBody) => Promise<T>,
): Promise<T> {
  const stop = new AbortController();
  const { signal, clock } = options;
  const onAbort = () => stop.abort(reasonOf(signal));
  if (signal?.aborted === true) onAbort();
  const listening = signal && addAbortListener(signal, onAbort);
  const stallTimer = stallTimerOf(url, stop, options);
  const failureFrom = (error: unknown): Error => {
    if (stop.signal.aborted) return reasonOf(stop.signal);
    return error instanceof Failed ? error : unreachable(url, error, clock.now());
  };
  let reply: WebReply | undefined;
  try {
    reply = await replyTo(url, from, options.web ?? straight, stop.signal).catch(
      (error: unknown) => {
        throw failureFrom(error);
      },
    );
    stallTimer.rest();
    checkStatus(url, reply, clock);
    const start = reply.status === 206 ? rangeStart(reply) : 0;
    return await use({ from: start, body: watched(url, start, reply, stallTimer, failureFrom) });
  } finally {
    stallTimer.rest();
    listening?.[Symbol.dispose]();
    reply?.body.on('error', () => undefined).destroy();
  }
}

/** A small text that no hash is known for. */
export function fetchText(url: string, maxBytes: number, options: HttpOptions): Promise<string> {
  return withRetries(options, () =>
    readUrl(url, 0, options, async ({ body }) => {
      const chunks: Uint8Array[] = [];
      let length = 0;
      for await (const chunk of body) {
        length += chunk.length;
        if (length > maxBytes) throw refused(url, 'is larger than such a file can be');
        chunks.push(chunk);
      }
      return Buffer.concat(chunks).toString('utf8');
    }),
  );
}

/** Continued from there, or from the beginning: a server that continues elsewhere is asked once more, for all of it. */
async function replyTo(
  url: string,
  from: number,
  web: Web,
  signal: AbortSignal,
): Promise<WebReply> {
  // identity: a transparent encoding would change the bytes that the size and the offset count.
  const headers = {
    'accept-encoding': 'identity',
    ...(from > 0 ? { range: `bytes=${from}-` } : {}),
  };
  const reply = await web.get(url, headers, signal);
  const isPart = reply.status === 206;
  if (reply.status !== 416 && !(isPart && (from === 0 || rangeStart(reply) !== from))) return reply;
  reply.body.on('error', () => undefined).destroy();
  if (from > 0) return replyTo(url, 0, web, signal);
  throw refused(url, isPart ? onlyAPart : 'answered 416');
}

/** A server that sends a part where all was asked for. */
export const onlyAPart = 'sent only a part, although all of it was requested';

function checkStatus(url: string, { status, headers }: WebReply, clock: Clock): void {
  if (status !== 200 && status !== 206)
    throw answered(url, status, retryAfterMs(headers['retry-after'], clock.now()));
}

/** Seconds, or a date (RFC 9110, 10.2.3). */
function retryAfterMs(value: string | string[] | undefined, nowMs: number): number {
  if (typeof value !== 'string') return 0;
  if (/^\d+$/.test(value.trim())) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? 0 : Math.max(0, date - nowMs);
}

async function* watched(
  url: string,
  start: number,
  { body }: WebReply,
  stallTimer: StallTimer,
  failureFrom: (error: unknown) => Error,
): AsyncGenerator<Uint8Array> {
  let isFirst = start === 0;
  try {
    stallTimer.start();
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      stallTimer.rest();
      // No file of an archive begins like that: neither a package nor an index, packed or signed.
      if (isFirst && /^\s*</.test(Buffer.from(chunk).toString('latin1', 0, 64))) throw isPage(url);
      isFirst = false;
      yield chunk;
      stallTimer.start();
    }
  } catch (error) {
    throw failureFrom(error);
  } finally {
    stallTimer.rest();
  }
}

interface StallTimer {
  start(): void;
  rest(): void;
}

/** Counts only the time in which we wait for the server; begun at once. */
function stallTimerOf(
  url: string,
  stop: AbortController,
  { clock, stallMs = 30_000 }: HttpOptions,
): StallTimer {
  let cancel: () => void = () => undefined;
  const stallTimer = {
    rest: () => cancel(),
    start: () => {
      cancel();
      cancel = clock.after(stallMs, () => stop.abort(stalled(url, stallMs)));
    },
  };
  stallTimer.start();
  return stallTimer;
}

const rangeStart = ({ headers }: WebReply): number =>
  Number(/^bytes (\d+)-/.exec(String(headers['content-range'] ?? ''))?.[1] ?? -1);
