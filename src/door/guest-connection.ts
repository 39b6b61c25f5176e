/**
 * A connection to the guest's sshd. That a tunnel accepts proves nothing: user-mode networks accept while the guest is
 * down, then say nothing or close. So it counts only when sshd's own greeting was read from it.
 */
import { connect, type Socket } from 'node:net';
import type { Tunnel } from '../config/tunnel.ts';
import type { Clock } from '../system/clock.ts';
import type { Log } from '../system/log.ts';

const greeting = Buffer.from('SSH-2.0-');

export interface ReachOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Ends the attempts. */
  readonly signal: AbortSignal;
}

/** Tries until sshd greets, or undefined when the signal ends it. The greeting is the socket's next data. */
export async function reachGuest(
  tunnel: Tunnel,
  { clock, log, signal }: ReachOptions,
): Promise<Socket | undefined> {
  for (let attempt = 0; !signal.aborted; attempt++) {
    const { silenceMs, delayMs } = patience(attempt);
    const dialled = await dial(tunnel, { clock, silenceMs, signal });
    if (dialled.greeted) return dialled.socket;
    log('debug', 'door-tunnel-not-yet', { attempt, why: dialled.why, againMs: delayMs });
    await clock.sleep(delayMs, signal).catch(() => undefined);
  }
  return undefined;
}

/** How long an attempt may be silent, and the pause after it; both grow: a busy guest must not be asked more and more. */
export function patience(attempt: number): {
  readonly silenceMs: number;
  readonly delayMs: number;
} {
  return {
    silenceMs: Math.min(5000 * 2 ** attempt, 60_000),
    delayMs: Math.min(100 * 2 ** attempt, 2000),
  };
}

type Dialled =
  | { readonly greeted: true; readonly socket: Socket }
  | { readonly greeted: false; readonly why: string };

interface DialOptions {
  readonly clock: Clock;
  readonly silenceMs: number;
  readonly signal: AbortSignal;
}

function dial(tunnel: Tunnel, { clock, silenceMs, signal }: DialOptions): Promise<Dialled> {
  const { host, port } = tunnel;
  const socket = connect({ host, port, allowHalfOpen: true, noDelay: true });
  const got: Buffer[] = [];
  return new Promise((resolve) => {
    const onData = (chunk: Buffer) => {
      got.push(chunk);
      const verdict = judge(Buffer.concat(got));
      if (verdict === 'greeted') settle();
      if (verdict === 'other') settle('it is answered by something that is not sshd');
    };
    const onEnd = () => settle('it was closed without a greeting');
    const onError = (error: Error) => settle(error.message);
    const onAbort = () => settle('nobody waits for it any more');
    const cancel = clock.after(silenceMs, () => settle(`it was silent for ${silenceMs} ms`));
    const settle = (why?: string) => {
      cancel();
      signal.removeEventListener('abort', onAbort);
      socket.off('data', onData).off('end', onEnd).off('close', onEnd).off('error', onError);
      socket.on('error', () => undefined);
      if (why === undefined) {
        socket.pause();
        socket.unshift(Buffer.concat(got));
        return resolve({ greeted: true, socket });
      }
      socket.destroy();
      resolve({ greeted: false, why });
    };
    socket.on('data', onData).on('end', onEnd).on('close', onEnd).on('error', onError);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

/** What the first bytes of a connection are: sshd's greeting, its beginning, or something else. */
export function judge(bytes: Buffer): 'greeted' | 'unfinished' | 'other' {
  const common = Math.min(bytes.length, greeting.length);
  if (!bytes.subarray(0, common).equals(greeting.subarray(0, common))) return 'other';
  return bytes.length >= greeting.length ? 'greeted' : 'unfinished';
}
