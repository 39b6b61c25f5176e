/**
 * A connection to the guest's sshd. That a tunnel accepts proves nothing: user-mode networks accept while the guest is
 * down, then say nothing or close. So it counts only when sshd's own greeting was read from it.
 */
import { addAbortListener } from 'node:events';
import type { Socket } from 'node:net';
import type { Tunnel } from '../domain/tunnel.ts';
import { reasonOf, type Clock } from '../system/time/clock.ts';
import { refusal } from '../system/files/reasons.ts';
import { dial } from '../system/socket/dial.ts';
import { silent, type Log } from '../system/log.ts';
import type { ConnectThrottle } from './connect-throttle.ts';

const greeting = Buffer.from('SSH-2.0-');

interface ReachOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Ends the attempts. */
  readonly signal: AbortSignal;
  /** Keeps the connections of many callers from coming at once. */
  readonly throttle?: ConnectThrottle;
}

/** Tries until sshd greets, or undefined when the signal ends it. The greeting is the socket's next data. */
export async function reachGuest(
  tunnel: Tunnel,
  { clock, log, signal, throttle }: ReachOptions,
): Promise<Socket | undefined> {
  for (let attempt = 0; !signal.aborted; attempt++) {
    const { silenceMs, delayMs } = backoffFor(attempt);
    const dialled = await greet(tunnel, { clock, silenceMs, signal, throttle });
    if (dialled.greeted) return dialled.socket;
    log('debug', 'door-tunnel-not-yet', { attempt, why: dialled.why, againMs: delayMs });
    await clock.sleep(delayMs, signal).catch(() => undefined);
  }
  return undefined;
}

/** True when sshd greets before the signal ends the wait. */
export async function greets(tunnel: Tunnel, options: Omit<ReachOptions, 'log'>): Promise<boolean> {
  const socket = await reachGuest(tunnel, { ...options, log: silent });
  socket?.destroy();
  return socket !== undefined;
}

/** A connection that sshd has greeted, its greeting still to be read. Rejects with the signal's reason. */
export async function greetedBy(
  tunnel: Tunnel,
  options: Omit<ReachOptions, 'log'>,
): Promise<Socket> {
  const socket = await reachGuest(tunnel, { ...options, log: silent });
  if (socket === undefined) throw reasonOf(options.signal);
  // It may end before anybody takes it.
  return socket.on('error', () => undefined);
}

/** How long an attempt may be silent, and the pause after it; both grow: a busy guest must not be asked more and more. */
function backoffFor(attempt: number): {
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
  readonly throttle: ConnectThrottle | undefined;
}

async function greet(tunnel: Tunnel, options: DialOptions): Promise<Dialled> {
  const { signal, throttle } = options;
  let leave: (() => void) | undefined;
  try {
    leave = await throttle?.enter(signal);
    return await greetNow(tunnel, options);
  } catch (error) {
    return { greeted: false, why: refusal(error) };
  } finally {
    leave?.();
  }
}

async function greetNow(tunnel: Tunnel, options: DialOptions): Promise<Dialled> {
  const { clock, silenceMs, signal } = options;
  const scope = new AbortController();
  const onAbort = () => scope.abort(new Error('the connection is no longer needed'));
  const onSilence = () => scope.abort(new Error(`no answer within ${silenceMs / 1000} s`));
  const cancel = clock.after(silenceMs, onSilence);
  const listening = addAbortListener(signal, onAbort);
  if (signal.aborted) onAbort();
  try {
    const socket = await dial(tunnel, scope.signal);
    const why = await untilGreeted(socket, scope.signal);
    if (why === undefined) return { greeted: true, socket };
    socket.on('error', () => undefined).destroy();
    return { greeted: false, why };
  } finally {
    cancel();
    listening[Symbol.dispose]();
  }
}

/** Undefined when sshd greets, its greeting still to be read; else what came instead. */
function untilGreeted(socket: Socket, signal: AbortSignal): Promise<string | undefined> {
  const got: Buffer[] = [];
  return new Promise((resolve) => {
    const onData = (chunk: Buffer) => {
      got.push(chunk);
      const verdict = judge(Buffer.concat(got));
      if (verdict === 'greeted') settle();
      if (verdict === 'other') settle('something that is not sshd answers there');
    };
    const onEnd = () => settle('closed before sshd answered');
    const onError = (error: Error) => settle(refusal(error));
    const onAbort = () => settle(reasonOf(signal).message);
    const settle = (why?: string) => {
      listening[Symbol.dispose]();
      socket.off('data', onData).off('end', onEnd).off('close', onEnd).off('error', onError);
      socket.pause();
      if (why === undefined) socket.unshift(Buffer.concat(got));
      resolve(why);
    };
    // Also of one that is aborted already.
    const listening = addAbortListener(signal, onAbort);
    socket.on('end', onEnd).on('close', onEnd).on('error', onError).on('data', onData).resume();
  });
}

/** What the first bytes of a connection are: sshd's greeting, its beginning, or something else. */
export function judge(bytes: Buffer): 'greeted' | 'unfinished' | 'other' {
  const common = Math.min(bytes.length, greeting.length);
  if (!bytes.subarray(0, common).equals(greeting.subarray(0, common))) return 'other';
  return bytes.length >= greeting.length ? 'greeted' : 'unfinished';
}
