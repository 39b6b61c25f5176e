/** Connections to Unix sockets that other processes make in their own time. */
import { connect, type Socket } from 'node:net';
import { reasonOf, type Clock } from '../time/clock.ts';
import { errorCode } from '../failure.ts';

/** Connects once. Rejects with the system's error (ENOENT, ECONNREFUSED...) or the signal's reason. */
export function dialUnix(path: string, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(reasonOf(signal));
    const socket = connect({ path });
    const settle = (error?: Error) => {
      signal.removeEventListener('abort', onAbort);
      socket.off('connect', onConnect).off('error', settle);
      if (error === undefined) return resolve(socket);
      socket.on('error', () => undefined);
      socket.destroy();
      reject(error);
    };
    const onConnect = () => settle();
    const onAbort = () => settle(reasonOf(signal));
    signal.addEventListener('abort', onAbort, { once: true });
    socket.once('connect', onConnect).once('error', settle);
  });
}

/** Errors that mean that the other process has not come so far; or that it is gone, and another may come. */
const notYet: ReadonlySet<string | undefined> = new Set([
  'ENOENT',
  'ECONNREFUSED',
  'EAGAIN',
  // It ended while our connection stood in its queue.
  'ECONNRESET',
]);

/** Connects as soon as somebody listens there; for ever, unless the signal ends it. */
export async function awaitUnix(path: string, clock: Clock, signal: AbortSignal): Promise<Socket> {
  for (;;) {
    try {
      return await dialUnix(path, signal);
    } catch (error) {
      if (!notYet.has(errorCode(error))) throw error;
      await clock.sleep(50, signal);
    }
  }
}
