/** A connection that waits at the door. */
import type { Socket } from 'node:net';

/**
 * Most bytes taken from a client that waits. An end of stream is only seen by reading, and ssh sends its own banner (at
 * most 255 bytes) before it has read ours; a client that sends more is left to fill its socket and wait.
 */
export const earlyBytesLimit = 64 * 1024;

/** Keeps a socket while its guest is away. */
export interface HeldClient {
  /** Ends the wait: the socket is paused, and what was taken from it is its next data again. */
  giveBack(): Socket;
  /** Ends the wait and the connection. */
  discard(): void;
}

/** Watches a waiting socket: onGone is called at most once, and never after the wait has ended. */
export function holdClient(socket: Socket, onGone: (why: string) => void): HeldClient {
  const early: Buffer[] = [];
  let earlyBytes = 0;
  const onData = (chunk: Buffer) => {
    early.push(chunk);
    earlyBytes += chunk.length;
    if (earlyBytes >= earlyBytesLimit) socket.pause();
  };
  const gone = (why: string) => {
    stop();
    onGone(why);
  };
  const onEnd = () => gone('it ended the connection');
  const onError = (error: Error) => gone(error.message);
  const onClose = () => gone('it closed the connection');
  const stop = () => {
    socket.off('data', onData).off('end', onEnd).off('error', onError).off('close', onClose);
  };
  socket.on('data', onData).on('end', onEnd).on('error', onError).on('close', onClose);
  return {
    giveBack() {
      stop();
      socket.pause();
      if (earlyBytes > 0) socket.unshift(Buffer.concat(early));
      return socket;
    },
    discard() {
      stop();
      socket.destroy();
    },
  };
}
