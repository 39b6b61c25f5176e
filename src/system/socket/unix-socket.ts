/** Connections to Unix sockets that other processes make in their own time. */
import type { Socket } from 'node:net';
import type { Clock } from '../time/clock.ts';
import { errorCode } from '../failure.ts';
import { connected } from './connected.ts';

/** Connects once, as {@link connected} has it. */
export const dialUnix = (path: string, signal: AbortSignal): Promise<Socket> =>
  connected({ path }, signal);

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
