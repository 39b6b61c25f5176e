/**
 * Addresses of streams: a TCP port, or a Unix socket that wants to be told where to lead before it carries bytes. That one
 * connects proves nothing about what stands behind it.
 */
import { addAbortListener } from 'node:events';
import type { Socket } from 'node:net';
import { reasonOf } from '../time/clock.ts';
import { plainText } from '../plain-text.ts';
import { connected } from './connected.ts';

/** One end to connect to. */
export type Address =
  | { readonly kind: 'tcp'; readonly host: '127.0.0.1'; readonly port: number }
  | {
      readonly kind: 'unix';
      readonly path: string;
      /** Written first, at once and in one piece. */
      readonly hello: string;
      /** What the socket says before the stream begins; empty where it says nothing. */
      readonly answer: string;
      /**
       * After we end our half, the other half is cut off some time later (HyperKit: 30 s, SHUTDOWN_RST_DELAY): so ours is ended
       * only when the other has been silent.
       */
      readonly endsTogether?: boolean;
      /** So many streams go through at a time; what is more would break what stands there. */
      readonly atMost?: number;
    };

/**
 * Connects and says hello. The socket is paused, half-open, and its next data is the stream's first. Rejects with the
 * system's error, when the answer is another one, or with the signal's reason.
 */
export async function dial(address: Address, signal: AbortSignal): Promise<Socket> {
  const { where, hello, answer } = wayTo(address);
  const socket = await connected({ ...where, allowHalfOpen: true, noDelay: true }, signal);
  if (hello !== '' || answer !== '') await greet(socket, { hello, answer }, signal);
  return socket.pause();
}

function greet(
  socket: Socket,
  { hello, answer }: { readonly hello: string; readonly answer: string },
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let got = Buffer.alloc(0);
    const settle = (error?: Error) => {
      listening[Symbol.dispose]();
      socket.off('data', onData).off('end', onEnd).off('error', settle);
      if (error === undefined) {
        socket.pause();
        return resolve();
      }
      socket.on('error', () => undefined);
      socket.destroy();
      reject(error);
    };
    const onAbort = () => settle(reasonOf(signal));
    const onEnd = () => settle(new Error('the connection was closed at once'));
    const onData = (chunk: Buffer) => {
      got = Buffer.concat([got, chunk]);
      const { head, isAnswer, rest } = compare(got, answer);
      if (!isAnswer) return settle(new Error(`it answers ${plainText(JSON.stringify(head))}`));
      if (rest === undefined) return;
      settle();
      if (rest.length > 0) socket.unshift(rest);
    };
    const listening = addAbortListener(signal, onAbort);
    socket.on('end', onEnd).on('error', settle);
    // Only to read the answer: a listener would start the flow.
    if (answer !== '') socket.on('data', onData);
    // Who stands there may have closed already: then writing fails, which must not come when nobody listens any more.
    socket.write(hello, (error) => {
      if (error) settle(error);
      else if (answer === '') settle();
    });
  });
}

/** What is connected to, what is said, and what must come back. A port wants no greeting. */
const wayTo = (address: Address) =>
  address.kind === 'unix'
    ? { where: { path: address.path }, hello: address.hello, answer: address.answer }
    : { where: { host: address.host, port: address.port }, hello: '', answer: '' };

/** What came so far beside the answer that is awaited: its head, whether that can still be it, and, once it is whole, what came behind it. */
function compare(got: Buffer, answer: string) {
  const head = got.subarray(0, answer.length).toString('latin1');
  const rest = got.length < answer.length ? undefined : got.subarray(answer.length);
  return { head, isAnswer: answer.startsWith(head), rest };
}
