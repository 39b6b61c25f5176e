/** Connections, as they are made to whatever listens. */
import { addAbortListener } from 'node:events';
import { connect, type NetConnectOpts, type Socket } from 'node:net';
import { reasonOf } from '../time/clock.ts';

/** Rejects with the system's error (ENOENT, ECONNREFUSED...), with ETIMEDOUT after the `timeout` of the options, or with the signal's reason. */
export function connected(options: NetConnectOpts, signal?: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(reasonOf(signal));
    const socket = connect(options);
    const settle = (error?: Error) => {
      listening?.[Symbol.dispose]();
      socket.off('connect', onConnect).off('timeout', onTimeout).off('error', settle);
      if (error === undefined) return resolve(socket);
      socket.on('error', () => undefined);
      socket.destroy();
      reject(error);
    };
    const onConnect = () => settle();
    const onTimeout = () => settle(Object.assign(new Error('timed out'), { code: 'ETIMEDOUT' }));
    const onAbort = () => settle(reasonOf(signal));
    const listening = signal && addAbortListener(signal, onAbort);
    socket.once('connect', onConnect).once('timeout', onTimeout).once('error', settle);
  });
}

/** Whether one can be made; it is closed again. */
export const canConnect = (options: NetConnectOpts, signal: AbortSignal): Promise<boolean> =>
  connected(options, signal).then(
    (socket) => {
      socket.destroy();
      return true;
    },
    () => false,
  );
