/** A connection that waits at the door. */
import type { Socket } from 'node:net';
import { refusal } from '../system/files/reasons.ts';

/**
 * Most bytes taken from a client that waits. Before ssh has read our banner it sends its own (at most 255 bytes) and, if it
 * is hasty, its first key exchange message (OpenSSH's with every algorithm: 3 KiB). What sends more is no ssh client.
 */
export const earlyBytesLimit = 16 * 1024;

/** How a client's first words begin (RFC 4253, 4.2). */
const banner = Buffer.from('SSH-');

interface HeldNews {
  /** It has ended or lost its connection. At most once, and never after the wait has ended. */
  readonly onGone: (why: string) => void;
  /** It has said the beginning of an ssh banner. At most once. */
  readonly onSsh: () => void;
  /** It has said more than an ssh client does before it is answered. At most once. */
  readonly onNoise: () => void;
}

/** Keeps a socket while its guest is away. It is read all the time: only so is its end seen. */
export interface HeldClient {
  /** Ends the wait: the socket is paused, and what was taken from it is its next data again. */
  giveBack(): Socket;
  /** Ends the wait and the connection. */
  discard(): void;
}

/** Keeps what a client says before its way is open, and sees whether it goes, or is no ssh. */
export function holdClient(socket: Socket, { onGone, onSsh, onNoise }: HeldNews): HeldClient {
  // One piece: single bytes would take a buffer each.
  let early = Buffer.alloc(0);
  let isSsh = false;
  const onData = (chunk: Buffer) => {
    if (early.length + chunk.length > earlyBytesLimit) {
      stop();
      return onNoise();
    }
    early = Buffer.concat([early, chunk]);
    if (isSsh || !early.subarray(0, banner.length).equals(banner)) return;
    isSsh = true;
    onSsh();
  };
  const gone = (why: string) => {
    stop();
    onGone(why);
  };
  const onEnd = () => gone('the client closed the connection');
  const onError = (error: Error) => gone(refusal(error));
  const stop = () => {
    socket.off('data', onData).off('end', onEnd).off('error', onError).off('close', onEnd);
  };
  socket.on('data', onData).on('end', onEnd).on('error', onError).on('close', onEnd);
  return {
    giveBack() {
      stop();
      socket.pause();
      if (early.length > 0) socket.unshift(early);
      return socket;
    },
    discard() {
      stop();
      early = Buffer.alloc(0);
      socket.destroy();
    },
  };
}
