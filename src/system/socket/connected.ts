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

/** What is said to whoever listens, and how much of the answer is waited for. */
interface Talk {
  readonly say?: string;
  readonly isEnough: (heard: string) => boolean;
  readonly signal: AbortSignal;
}

/** What is said there first: until that is enough, its end, or a silence of the `timeout` of the options; nothing where nobody listens. */
export async function firstWords(
  options: NetConnectOpts,
  { say = '', isEnough, signal }: Talk,
): Promise<string> {
  const socket = await connected(options, signal).catch(() => undefined);
  if (socket === undefined) return '';
  return new Promise((resolve) => {
    let heard = '';
    const end = () => {
      listening[Symbol.dispose]();
      socket.destroy();
      resolve(heard);
    };
    const listening = addAbortListener(signal, end);
    for (const event of ['timeout', 'end', 'error']) socket.on(event, end);
    socket.on('data', (chunk: Buffer) => {
      heard += chunk.toString('latin1');
      if (isEnough(heard)) end();
    });
    if (say !== '') socket.write(say);
  });
}
